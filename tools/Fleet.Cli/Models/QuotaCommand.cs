using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models quota</c>: bounds what a namespace may hold.</summary>
internal static class QuotaCommand
{
    private static readonly Argument<string> Namespace = new("namespace") { Description = "First part of model names: studio of studio/fox" };

    private static readonly Argument<string> Size = new("size") { Description = "Bytes, or a number with KiB, MiB, GiB or TiB; 'none' lifts the limit" };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "quota",
            "Set the most bytes that the versions of a namespace may hold; equal bytes count once",
            "fleet models quota studio 500GiB",
            "fleet models quota studio none")
        {
            Namespace,
            Size,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        string text = parsed.GetValue(Size)!;
        long bytes = text == "none" ? 0 : Units.ParseBytes(text) is > 0 and { } size ? size
            : throw new CommandException(ExitCode.BadInput, $"the size is '{text}'; it must be a number of bytes such as 500GiB, or none");
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        UsageCommand.Write([await registry.Client.SetQuotaAsync(parsed.GetValue(Namespace)!, bytes, cancellation)], parsed.Output());
        return ExitCode.Success;
    }
}
