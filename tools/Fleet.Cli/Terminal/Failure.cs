using Fleet.Client;
using Fleet.Client.Hub;
using Fleet.Client.Registry;
using Fleet.Diffusion;
using Fleet.Safetensors;
using Fleet.Signing;
using Grpc.Core;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

namespace Fleet.Cli.Terminal;

/// <summary>What a user is told of an exception: one line, a remedy where there is one, and the exit code.</summary>
internal sealed record Failure(int ExitCode, string Message, string? Remedy = null)
{
    private const string SeeDetails = "run it again with --verbose for the details";

    public static Failure From(Exception exception, string? address = null) => exception switch
    {
        CommandException command => new(command.ExitCode, command.Message, command.Remedy),
        FleetException fleet => From(fleet.StatusCode, OneLine(fleet.Message), address),
        RpcException rpc => From(rpc.StatusCode, OneLine(rpc.Status.Detail), address),
        OptionsValidationException options => new(Cli.ExitCode.BadInput, string.Join("; ", options.Failures.Select(WithoutPreamble))),
        HubException hub => From(hub),
        SafetensorsFormatException or ModelSourceException or SignatureException or InvalidDataException => new(Cli.ExitCode.BadData, OneLine(exception.Message)),
        TorchUnavailableException => new(Cli.ExitCode.Unavailable, OneLine(exception.Message), "'fleet doctor' checks the whole machine"),
        FileNotFoundException or DirectoryNotFoundException => new(Cli.ExitCode.NotFound, OneLine(exception.Message)),
        IOException { InnerException: AddressInUseException } => new(
            Cli.ExitCode.Unavailable, OneLine(exception.Message), "'fleet up --port N --registry-port N' takes other ports; 0 is any free one"),
        IOException or UnauthorizedAccessException => new(Cli.ExitCode.InputOutput, OneLine(exception.Message)),
        OperationCanceledException => new(Cli.ExitCode.Cancelled, "stopped"),
        _ => new(Cli.ExitCode.Internal, OneLine(exception.Message), SeeDetails),
    };

    private static Failure From(HubException hub) => hub.Fault switch
    {
        HubFault.NotFound => new(Cli.ExitCode.NotFound, OneLine(hub.Message)),
        HubFault.NotAllowed => new(Cli.ExitCode.BadInput, OneLine(hub.Message)),
        HubFault.Unavailable => new(Cli.ExitCode.Unavailable, OneLine(hub.Message), "check the address of the hub; what was fetched is kept for the next try"),
        _ => new(Cli.ExitCode.BadData, OneLine(hub.Message)),
    };

    private static Failure From(StatusCode status, string detail, string? address) => status switch
    {
        StatusCode.InvalidArgument or StatusCode.OutOfRange or StatusCode.AlreadyExists => new(Cli.ExitCode.BadInput, detail),
        StatusCode.NotFound => new(Cli.ExitCode.NotFound, detail),
        StatusCode.FailedPrecondition or StatusCode.DataLoss => new(Cli.ExitCode.BadData, detail),
        StatusCode.Aborted => new(Cli.ExitCode.Negative, detail),
        StatusCode.ResourceExhausted => new(Cli.ExitCode.Busy, detail, "try again in a moment"),
        StatusCode.DeadlineExceeded => new(
            Cli.ExitCode.Unavailable, detail.Length > 0 ? detail : "the time given was over before the answer", "give more with --timeout"),
        StatusCode.Unauthenticated or StatusCode.PermissionDenied => new(
            Cli.ExitCode.BadInput, detail, "give a token that may do this with --token-file or FLEET_REGISTRY_TOKEN"),
        StatusCode.Unavailable => new(
            Cli.ExitCode.Unavailable, $"{address ?? "the fleet"} cannot be reached: {detail}", "check the address, and that 'fleet up' is running there"),
        StatusCode.Unimplemented => new(
            Cli.ExitCode.Unavailable, $"what answers at {address} does not know this call: {detail}", "check the address and the port"),
        StatusCode.Cancelled => new(Cli.ExitCode.Cancelled, "the job was cancelled on the fleet"),
        _ => new(Cli.ExitCode.Internal, $"{status}: {detail}", SeeDetails),
    };

    // "DataAnnotation validation failed for 'Type' members: 'Member' with the error: 'What is wrong.'."
    private static string WithoutPreamble(string failure)
    {
        const string Preamble = "with the error: '";
        int start = failure.IndexOf(Preamble, StringComparison.Ordinal);
        return start < 0 ? failure : failure[(start + Preamble.Length)..^2].TrimEnd('.');
    }

    private static string OneLine(string text) => string.Join(' ', text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}
