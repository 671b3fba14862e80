using System.Globalization;
using Fleet.Contracts;
using Grpc.Core;

namespace Fleet.Client;

/// <summary>A call that the fleet refused or could not finish. The message is the server's.</summary>
public class FleetException : Exception
{
    internal FleetException(StatusCode status, string message, Exception? inner = null)
        : base(message, inner)
    {
        StatusCode = status;
    }

    /// <summary>The gRPC status.</summary>
    public StatusCode StatusCode { get; }

    // Trying again may help, and does no harm because the request carries its id.
    internal virtual bool IsTransient => StatusCode is StatusCode.Aborted;

    // What the server asks to wait before the next try.
    internal virtual TimeSpan RetryHint => TimeSpan.Zero;

    internal static FleetException From(RpcException e)
    {
        string message = e.Status.Detail;
        return e.StatusCode switch
        {
            // A connection that broke in the middle of a stream shows up as one of several codes, with the cause attached.
            _ when e.Status.DebugException is IOException or HttpRequestException => new FleetUnavailableException(message, e),
            StatusCode.InvalidArgument => new FleetInvalidRequestException(message, e),
            StatusCode.NotFound => new FleetNotFoundException(message, e),
            StatusCode.AlreadyExists => new FleetConflictException(message, e),
            StatusCode.FailedPrecondition => new FleetPreconditionException(message, e),
            StatusCode.ResourceExhausted => new FleetOverloadedException(message, RetryAfter(e.Trailers), e),
            StatusCode.DeadlineExceeded => new FleetDeadlineException(message, e),
            StatusCode.Cancelled => new FleetCancelledException(message, e),
            StatusCode.Unavailable => new FleetUnavailableException(message, e),
            _ => new FleetException(e.StatusCode, message, e),
        };
    }

    private static TimeSpan RetryAfter(Metadata trailers) =>
        long.TryParse(trailers.GetValue(Wire.RetryAfterTrailer), NumberStyles.None, CultureInfo.InvariantCulture, out long milliseconds)
            && milliseconds <= TimeSpan.FromHours(1).TotalMilliseconds
            ? TimeSpan.FromMilliseconds(milliseconds)
            : TimeSpan.Zero;
}

/// <summary>INVALID_ARGUMENT: the message names the field, its value and what would be right.</summary>
public sealed class FleetInvalidRequestException(string message, Exception? inner = null)
    : FleetException(StatusCode.InvalidArgument, message, inner);

/// <summary>NOT_FOUND: no such model, version or picture.</summary>
public sealed class FleetNotFoundException(string message, Exception? inner = null)
    : FleetException(StatusCode.NotFound, message, inner);

/// <summary>ALREADY_EXISTS: the request id belongs to a generation with other parameters.</summary>
public sealed class FleetConflictException(string message, Exception? inner = null)
    : FleetException(StatusCode.AlreadyExists, message, inner);

/// <summary>FAILED_PRECONDITION: the version cannot do what was asked, or its weights are damaged.</summary>
public sealed class FleetPreconditionException(string message, Exception? inner = null)
    : FleetException(StatusCode.FailedPrecondition, message, inner);

/// <summary>RESOURCE_EXHAUSTED: the fleet is full.</summary>
public sealed class FleetOverloadedException(string message, TimeSpan retryAfter, Exception? inner = null)
    : FleetException(StatusCode.ResourceExhausted, message, inner)
{
    /// <summary>When the server expects to have room; zero when it did not say.</summary>
    public TimeSpan RetryAfter { get; } = retryAfter;

    internal override bool IsTransient => true;

    internal override TimeSpan RetryHint => RetryAfter;
}

/// <summary>DEADLINE_EXCEEDED: the time given was not enough.</summary>
public sealed class FleetDeadlineException(string message, Exception? inner = null)
    : FleetException(StatusCode.DeadlineExceeded, message, inner);

/// <summary>CANCELLED: someone else cancelled the generation.</summary>
public sealed class FleetCancelledException(string message, Exception? inner = null)
    : FleetException(StatusCode.Cancelled, message, inner);

/// <summary>UNAVAILABLE: the fleet cannot be reached, or a stage of it stayed down.</summary>
public sealed class FleetUnavailableException(string message, Exception? inner = null)
    : FleetException(StatusCode.Unavailable, message, inner)
{
    internal override bool IsTransient => true;
}
