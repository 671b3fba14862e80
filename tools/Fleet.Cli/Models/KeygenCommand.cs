using System.CommandLine;
using Fleet.Cli.Terminal;
using Fleet.Signing;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models keygen</c>: a pair of keys to sign with.</summary>
internal static class KeygenCommand
{
    private static readonly Argument<string> Name = new("name") { Description = "Path of the files without their endings: NAME.pem is the private key, NAME.pub the public one" };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "keygen",
            "Write a new ECDSA key on P-256: NAME.pem to sign with, for your eyes only, and NAME.pub to hand out",
            "fleet models keygen studio")
        {
            Name,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string name = Path.GetFullPath(parsed.GetValue(Name)!);
        string secret = name + ".pem", open = name + ".pub";
        if (File.Exists(secret) || File.Exists(open))
        {
            throw new CommandException(ExitCode.BadInput, $"'{(File.Exists(secret) ? secret : open)}' exists", "keys are never overwritten; take another name");
        }

        using var key = SigningKey.Generate();
        await WriteAsync(secret, key.PrivatePem(), UnixFileMode.UserRead | UnixFileMode.UserWrite, cancellation);
        await WriteAsync(open, key.PublicPem, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead, cancellation);
        output.Event(new KeyEvent(secret, open, key.Hint));
        output.Result(secret);
        output.Result(open);
        return ExitCode.Success;
    }

    private static async Task WriteAsync(string path, string pem, UnixFileMode mode, CancellationToken cancellation)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = mode;
        }

        await using var writer = new StreamWriter(path, options);
        await writer.WriteAsync(pem.AsMemory(), cancellation);
    }
}
