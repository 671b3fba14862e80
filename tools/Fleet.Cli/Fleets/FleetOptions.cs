using System.CommandLine;
using Fleet.Cli.Terminal;
using Microsoft.Extensions.Logging;

namespace Fleet.Cli.Fleets;

/// <summary>Options that say which fleet a command talks to, and how an embedded one runs.</summary>
internal static class FleetOptions
{
    public const string FleetVariable = "FLEET_URL";
    public const string RegistryVariable = "FLEET_REGISTRY";
    public const string TokenVariable = "FLEET_REGISTRY_TOKEN";

    public static readonly Option<string?> Fleet = ValueOption.Text(
        "--fleet", "URL", $"Gateway of a running fleet, such as http://127.0.0.1:7860 [env: {FleetVariable}; default: a fleet in this process]");

    public static readonly Option<string?> Registry = ValueOption.Text(
        "--registry", "URL", $"A running registry, such as http://127.0.0.1:7861 [env: {RegistryVariable}; default: the local one]");

    public static readonly Option<string?> TokenFile = ValueOption.Text(
        "--token-file", "FILE", $"A file that holds the registry's token [env: {TokenVariable}, the token itself; default: none]");

    public static readonly Option<string?> Device = ValueOption.Text(
        "--device", "DEVICE", "Where an embedded fleet computes: cpu or cuda:0 [default: cpu]");

    public static readonly Option<int?> Threads = ValueOption.Integer(
        "--threads", "N", "Processor threads of an embedded fleet [default: one a core]");

    /// <summary>Address of the fleet that was named, or null for an embedded one.</summary>
    public static string? FleetAddress(this ParseResult parsed) => Address(parsed, Fleet, FleetVariable);

    /// <summary>Address of the registry that was named, or null for the local one.</summary>
    public static string? RegistryAddress(this ParseResult parsed) => Address(parsed, Registry, RegistryVariable);

    /// <summary>The token to show the registry; empty for none.</summary>
    public static string RegistryToken(this ParseResult parsed)
    {
        if (parsed.GetValue(TokenFile) is not { } path)
        {
            return Environment.GetEnvironmentVariable(TokenVariable)?.Trim() ?? "";
        }

        string token = File.ReadAllText(path).Trim();
        return token.Length > 0 ? token : throw new CommandException(ExitCode.BadInput, $"--token-file names '{path}', which is empty");
    }

    /// <summary>Address that the command was to talk to, for messages; null when it was none.</summary>
    public static string? RemoteAddress(this ParseResult parsed) =>
        parsed.CommandResult.Command.Options.Contains(Fleet) ? Given(parsed, Fleet, FleetVariable)
        : parsed.CommandResult.Command.Options.Contains(Registry) ? Given(parsed, Registry, RegistryVariable)
        : null;

    public static EmbeddedSettings EmbeddedSettings(this ParseResult parsed, LogLevel logs = LogLevel.None) => new(
        parsed.GetValue(GlobalOptions.Verbose) ? LogLevel.Information : logs,
        parsed.GetResult(Device) is null ? null : parsed.GetValue(Device),
        parsed.GetResult(Threads) is null ? null : parsed.GetValue(Threads));

    private static string? Given(ParseResult parsed, Option<string?> option, string variable) =>
        parsed.GetValue(option) ?? (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null);

    private static string? Address(ParseResult parsed, Option<string?> option, string variable)
    {
        if (Given(parsed, option, variable) is not { } address)
        {
            return null;
        }

        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new CommandException(
                ExitCode.BadInput, $"{(parsed.GetValue(option) is null ? variable : option.Name)} is '{address}'; it must be a URL such as http://127.0.0.1:7860");
        }

        return uri.GetLeftPart(UriPartial.Authority);
    }
}
