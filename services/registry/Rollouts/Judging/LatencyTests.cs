using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>The latency of each stage, compared among requests that are equal in what its time depends on.</summary>
internal sealed class LatencyTests(TestLimits limits)
{
    private readonly LatencyTest encode = New("latency/encode", limits);
    private readonly LatencyTest denoise = New("latency/denoise", limits);
    private readonly LatencyTest decode = New("latency/decode", limits);

    public IEnumerable<LatencyTest> All => [encode, denoise, decode];

    public void Observe(RequestOutcome outcome)
    {
        if (outcome.Cold)
        {
            return;
        }

        var size = new LatencyStratum(outcome.Width, outcome.Height, 0, outcome.Count);
        encode.Observe(outcome.Arm, default, outcome.EncodeMs);
        denoise.Observe(outcome.Arm, size with { Steps = outcome.Steps }, outcome.DenoiseMs);
        decode.Observe(outcome.Arm, size, outcome.DecodeMs);
    }

    private static LatencyTest New(string name, TestLimits limits) =>
        new(name, limits.MaxLatencyRatio, AlphaShares.EachStage * limits.Alpha, limits.Beta);
}
