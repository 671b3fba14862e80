using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Stages;
using Fleet.Hosting;
using Grpc.Core;

namespace Fleet.Gateway.Rollouts;

/// <summary>Whom a failed run speaks against.</summary>
internal enum Blame
{
    /// <summary>The version, whatever another one does: its weights, an unexpected error.</summary>
    Version,

    /// <summary>The version, unless another one makes such a picture too.</summary>
    Picture,

    /// <summary>The version, unless another one cannot be reached either.</summary>
    Outage,

    /// <summary>The request, its deadline included, unless another version serves it.</summary>
    Request,

    /// <summary>Nobody yet: it worked, and not fast enough for its part of the deadline. Its pace is what counts.</summary>
    Pace,

    /// <summary>Nobody: there was no room.</summary>
    Load,
}

/// <summary>Why a run failed.</summary>
internal sealed record RunFault(Fault Fault, Blame Blame, string Detail)
{
    /// <summary>For a run whose place no other version takes: whether it is reported as the version's.</summary>
    public bool CountsAgainstTheVersion => Blame is Blame.Version or Blame.Picture or Blame.Outage;

    /// <summary>Of an exception; null when it says nothing about any version, as a caller's cancelling does.</summary>
    public static RunFault? Of(Exception exception, StageRun run) => exception switch
    {
        RpcException e => Of(e, run),
        InvalidRequestException or PreconditionException => new RunFault(Fault.Error, Blame.Request, exception.Message),
        _ => null,
    };

    /// <summary>Of pictures that arrived whole; null when there is nothing to say against them.</summary>
    public static RunFault? OfPictures(StageRun run)
    {
        var fault = run.Denoising!.Images.Trailers.Select(OfPicture).FirstOrDefault(fault => fault != Fault.None);
        return fault is Fault.Unspecified ? null : new RunFault(fault, Blame.Picture, "A picture is of one colour.");
    }

    private static RunFault Of(RpcException e, StageRun run)
    {
        var (fault, blame) = e.StatusCode switch
        {
            StatusCode.FailedPrecondition when e.Trailers.GetValue(Wire.VersionFaultTrailer) is { } named =>
                (named is Wire.NotFinite ? Fault.NotFinite : Fault.Load, Blame.Version),
            StatusCode.Internal or StatusCode.Unknown or StatusCode.Unimplemented or StatusCode.DataLoss => (Fault.Error, Blame.Version),
            StatusCode.Unavailable => (Fault.Crash, Blame.Outage),
            StatusCode.DeadlineExceeded when run.Denoising is { Joined: true } => (Fault.None, Blame.Pace),
            StatusCode.DeadlineExceeded => (Fault.Crash, Blame.Request), // its deadline may be too short for any version
            StatusCode.ResourceExhausted or StatusCode.Cancelled => (Fault.None, Blame.Load),
            _ => (Fault.Error, Blame.Request),
        };
        return new RunFault(fault, blame, e.Status.Detail);
    }

    private static Fault OfPicture(ImageTrailer trailer) => trailer.Pixels switch
    {
        null => Fault.None, // a decoder that does not say
        { Maximum: 0 } => Fault.Black,
        { Minimum: 255 } => Fault.White,
        { LargestRange: 0 } => Fault.Constant,
        _ => Fault.None,
    };
}
