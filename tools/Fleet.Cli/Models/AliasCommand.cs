using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models alias</c>: points a name at a version, lists names, or takes one away.</summary>
internal static class AliasCommand
{
    private static readonly Argument<string> Model = new("model") { Description = "Model name" };

    private static readonly Argument<string?> Name = new("alias")
    {
        Description = "Alias; without one, the model's aliases are listed",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Argument<string?> Reference = new("version")
    {
        Description = "What it is to point at: a digest, or another alias as MODEL@ALIAS",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Expected = ValueOption.Text(
        "--expect", "VERSION", "Only when the alias points at this now; 'none' when it must not exist");

    private static readonly Option<bool> Delete = new("--delete") { Description = "Take the alias away" };

    private static readonly Option<bool> Protect = new("--protect")
    {
        Description = "Protect the alias: it is moved only with --expect, by an operator's token or by a rollout, and is not deleted",
    };

    private static readonly Option<bool> Unprotect = new("--unprotect") { Description = "Lift the protection" };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "alias",
            "Point an alias at a version, atomically",
            "fleet models alias studio/fox stable sha256:0123456789ab",
            "fleet models alias studio/fox stable studio/fox@canary --expect sha256:0123456789ab",
            "fleet models alias studio/fox canary --delete",
            "fleet models alias studio/fox stable --protect",
            "fleet models alias studio/fox")
        {
            Model,
            Name,
            Reference,
            Expected,
            Delete,
            Protect,
            Unprotect,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string model = parsed.GetValue(Model)!;
        string? name = parsed.GetValue(Name);
        string? reference = parsed.GetValue(Reference);
        bool delete = parsed.GetValue(Delete);
        int changes = new[] { delete, parsed.GetValue(Protect), parsed.GetValue(Unprotect), reference is not null }.Count(given => given);
        if (name is not null && changes != 1)
        {
            throw new CommandException(
                ExitCode.BadInput,
                changes == 0 ? $"alias '{name}' needs a version to point at" : "a version, --delete, --protect and --unprotect do not go together",
                "give one of: a version, --delete, --protect, --unprotect");
        }

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        if (name is null)
        {
            foreach (var alias in await registry.Client.ListAliasesAsync(model, cancellation))
            {
                Report(output, alias);
            }
        }
        else if (reference is null && !delete)
        {
            Report(output, await registry.Client.ProtectAliasAsync(model, name, parsed.GetValue(Protect), cancellation));
        }
        else if (delete)
        {
            await registry.Client.DeleteAliasAsync(model, name, cancellation);
            output.Event(new AliasEvent(model, name, null, null));
            output.Result($"{model}@{name}  deleted");
        }
        else
        {
            var target = await registry.Client.ResolveAsync(reference!, cancellation);
            string expected = parsed.GetValue(Expected) ?? "";
            if (expected is not ("" or "none"))
            {
                expected = (await registry.Client.ResolveAsync(expected, cancellation)).Digest;
            }

            Report(output, await registry.Client.SetAliasAsync(model, name, target.Digest, expected, cancellation));
        }

        return ExitCode.Success;
    }

    private static void Report(Output output, Alias alias)
    {
        output.Event(new AliasEvent(alias.Model, alias.Name, alias.Version, alias.Protected));
        output.Result($"{alias.Model}@{alias.Name}  {alias.Version}{(alias.Protected ? "  protected" : "")}");
    }
}
