using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Requests;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Gateway.Stages;

/// <summary>What one run through the stages is to do.</summary>
internal sealed record RunOrder
{
    /// <summary>The id that stages get.</summary>
    public required string RequestId { get; init; }

    public required GenerationParameters Parameters { get; init; }

    /// <summary>The version for all stages.</summary>
    public required Version Version { get; init; }

    /// <summary>The rollout whose canary the version is; empty when it is none.</summary>
    public string CanaryOf { get; init; } = "";

    /// <summary>The files to start from.</summary>
    public InitFiles? Files { get; init; }

    /// <summary>Where events go.</summary>
    public required Action<GenerateResponse> Publish { get; init; }

    /// <summary>When the pictures must be there; asked for anew at each try of a stage.</summary>
    public required Func<DateTime> Deadline { get; init; }

    /// <summary>Tries of each stage, the first included.</summary>
    public required int Attempts { get; init; }

    /// <summary>The caller was told that the job is accepted, so a full stage is waited for.</summary>
    public bool Accepted { get; init; }

    /// <summary>Images are passed on only when they are released.</summary>
    public bool HoldsImages { get; init; }

    /// <summary>File and latents of the first picture are wanted when all is done.</summary>
    public bool KeepsFirst { get; init; }

    /// <summary>Gives up, with RESOURCE_EXHAUSTED, when other jobs wait for the denoiser.</summary>
    public bool Yields { get; init; }
}
