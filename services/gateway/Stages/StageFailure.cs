using Fleet.Contracts;
using Grpc.Core;

namespace Fleet.Gateway.Stages;

/// <summary>What a failed call to a stage means.</summary>
internal static class StageFailure
{
    private static readonly TimeSpan LongestHint = TimeSpan.FromSeconds(30);
    private static readonly string[] PassedOn = [Wire.RetryAfterTrailer, Wire.VersionFaultTrailer];

    /// <summary>The stage could not be reached, broke off or did not answer; another try may find it, or another replica, well.</summary>
    public static bool IsOutage(RpcException e) =>
        e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Cancelled
        || e.Status.DebugException is IOException or HttpRequestException;

    /// <summary>How long a stage that is full asks to wait, at most half a minute; zero when it did not say.</summary>
    public static TimeSpan RetryAfter(RpcException e)
    {
        if (!uint.TryParse(e.Trailers.GetValue(Wire.RetryAfterTrailer), out uint milliseconds))
        {
            return TimeSpan.Zero;
        }

        var hint = TimeSpan.FromMilliseconds(milliseconds);
        return hint < LongestHint ? hint : LongestHint;
    }

    /// <summary>The failure as callers see it: the stage's own words about the request, and which stage it was when it is the stage's fault.</summary>
    public static RpcException ForCallers(string stage, RpcException e, int attempts = 1, bool outOfTime = false)
    {
        var trailers = new Metadata();
        foreach (string name in PassedOn)
        {
            if (e.Trailers.GetValue(name) is { } value)
            {
                trailers.Add(name, value);
            }
        }

        return e.StatusCode switch
        {
            StatusCode.DeadlineExceeded when outOfTime => New(StatusCode.DeadlineExceeded, $"The deadline passed in the {stage}."),
            _ when IsOutage(e) => New(StatusCode.Unavailable, $"The {stage} could not be used in {attempts} attempts: {e.Status.Detail}"),
            StatusCode.Internal or StatusCode.Unknown or StatusCode.Unimplemented => New(StatusCode.Internal, $"The {stage} failed: {e.Status.Detail}"),
            _ => New(e.StatusCode, e.Status.Detail),
        };

        RpcException New(StatusCode code, string detail) => new(new Status(code, detail, e), trailers);
    }
}
