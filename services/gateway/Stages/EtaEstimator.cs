using Fleet.Contracts.Denoiser.V1;

namespace Fleet.Gateway.Stages;

/// <summary>How long a job will still take: the steps that are left at the pace of the last ones, and the decoding after them.</summary>
internal sealed class EtaEstimator(TimeSpan decoding)
{
    // Weight of the newest step: the batch that a job runs in changes, so old steps say little.
    private const double Newest = 0.3;
    private double stepMicroseconds;

    /// <summary>The time left after a step; zero while nothing is known.</summary>
    public TimeSpan After(DenoiseProgress progress)
    {
        if (progress.Step <= 0 || progress.StepUs <= 0)
        {
            return TimeSpan.Zero;
        }

        stepMicroseconds = stepMicroseconds == 0 ? progress.StepUs : stepMicroseconds + Newest * (progress.StepUs - stepMicroseconds);
        return TimeSpan.FromMicroseconds(stepMicroseconds * (progress.Steps - progress.Step)) + decoding;
    }
}
