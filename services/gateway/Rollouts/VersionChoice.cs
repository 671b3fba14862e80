using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Stages;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Gateway.Rollouts;

/// <summary>Which version answers a job. Made once, and kept whatever becomes of the rollout meanwhile.</summary>
/// <param name="Version">The version.</param>
/// <param name="Traffic">The rollout that the job takes part in; null without one.</param>
/// <param name="Arm">The version's place in the rollout.</param>
/// <param name="Pinned">A tester chose: no other version takes over.</param>
/// <param name="Shadowed">The same is to be run on the other version too.</param>
internal sealed record VersionChoice(Version Version, ModelTraffic? Traffic = null, Arm Arm = Arm.Unspecified, bool Pinned = false, bool Shadowed = false)
{
    private const int MaxDetail = 500;

    /// <summary>The rollout whose canary the version is; empty when it is none.</summary>
    public string CanaryOf => Arm == Arm.Canary ? Traffic!.Rollout : "";

    public bool MayBeRescued => Arm == Arm.Canary && !Pinned;

    /// <summary>What a run on a version of the rollout came to; null without a rollout.</summary>
    public RequestOutcome? Outcome(Arm arm, StageRun run, RunFault? fault, bool rescued = false, bool shadow = false) => Traffic is null ? null : new()
    {
        Rollout = Traffic.Rollout,
        RequestId = run.Order.RequestId,
        Arm = arm,
        Shadow = shadow,
        Fault = fault?.Fault ?? Fault.None,
        Detail = fault is null ? "" : fault.Detail[..Math.Min(fault.Detail.Length, MaxDetail)].Replace('\0', ' '),
        Rescued = rescued,
        EncodeMs = (run.Text?.Done.ComputeUs ?? 0) / 1000.0,
        DenoiseMs = run.Done is { } done ? done.DeviceUs / 1000.0 : run.Denoising?.Pace.TotalMilliseconds ?? 0,
        DecodeMs = run.Denoising?.Images.DecodeTime.TotalMilliseconds ?? 0,
        Width = run.Plan?.Recipe.Width ?? 0,
        Height = run.Plan?.Recipe.Height ?? 0,
        Steps = run.Order.Parameters.Steps,
        Count = run.Order.Parameters.Count,
        Cold = (run.Text?.Done.Cold ?? false) || (run.Done?.Cold ?? false),
    };
}
