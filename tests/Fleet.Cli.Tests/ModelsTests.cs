using Fleet.Testing;

namespace Fleet.Cli.Tests;

public sealed class ModelsTests(RunningFleet fleet) : IDisposable
{
    private static readonly string Tiny = Path.Combine(Repository.OwnGolden, "models", "sd1");

    private readonly TemporaryFolder folder = new();

    private FleetProgram Program => new(folder.Path);

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Models_PushShowPull_GivesTheSameFilesBack()
    {
        var pushed = await ModelsAsync("push", Tiny, "--name", "round/trip", "--alias", "stable", "--description", "for a test", "--json");
        pushed.ExitCode.Should().Be(0, pushed.Error);
        string digest = pushed.Event("version").GetProperty("digest").GetString()!;

        var shown = await ModelsAsync("show", "round/trip");
        shown.Output.Should().Contain(digest).And.Contain("for a test").And.Contain("unet/config.json");

        var pulled = await ModelsAsync("pull", "round/trip@stable", "-o", "pulled");
        pulled.ExitCode.Should().Be(0, pulled.Error);
        foreach (string file in Directory.GetFiles(folder["pulled"], "*", SearchOption.AllDirectories))
        {
            byte[] original = await File.ReadAllBytesAsync(
                Path.Combine(Tiny, Path.GetRelativePath(folder["pulled"], file)), TestContext.Current.CancellationToken);
            (await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken)).Should().Equal(original, file);
        }

        (await ModelsAsync("pull", "round/trip", "-o", "pulled")).ExitCode.Should().Be(64);
        (await ModelsAsync("pull", "round/trip", "-o", "pulled", "--resume")).ExitCode.Should().Be(0);
    }

    [Fact]
    public async Task Models_Alias_MovesOnlyFromWhereItIsExpected()
    {
        string digest = (await ModelsAsync("push", Tiny, "--name", "aliased", "--json")).Event("version").GetProperty("digest").GetString()!;

        (await ModelsAsync("alias", "aliased", "canary", digest, "--expect", "none")).ExitCode.Should().Be(0);
        var again = await ModelsAsync("alias", "aliased", "canary", digest, "--expect", "none");
        again.ExitCode.Should().Be(1, again.Error);
        (await ModelsAsync("alias", "aliased")).Output.Should().Contain($"aliased@canary  {digest}");
        (await ModelsAsync("list", "aliased")).Output.Should().Contain("canary");
        (await ModelsAsync("alias", "aliased", "canary", "--delete")).ExitCode.Should().Be(0);
        (await ModelsAsync("alias", "aliased")).Output.Should().BeEmpty();
    }

    [Fact]
    public async Task Models_Synth_WritesAModelThatMakesPictures()
    {
        var written = await Program.RunAsync("models", "synth", "small", "-o", "synthetic");
        written.ExitCode.Should().Be(0, written.Error);
        (await ModelsAsync("push", "synthetic", "--name", "synthetic/small")).ExitCode.Should().Be(0);

        var made = await Program.RunAsync(
            "generate", "a fox", "--model", "synthetic/small", "--steps", "1", "-o", "fox.png", "--fleet", fleet.Gateway);
        made.ExitCode.Should().Be(0, made.Error);
    }

    [Theory]
    [InlineData(66, "no-such-folder", "push", "no-such-folder")]
    [InlineData(65, "model_index.json", "push", ".")]
    [InlineData(66, "no/model", "show", "no/model")]
    [InlineData(64, "needs a version", "alias", "a/model", "stable")]
    public async Task Models_BadInput_IsOneLineThatNamesIt(int exitCode, string named, params string[] arguments)
    {
        var run = await ModelsAsync(arguments);

        run.ExitCode.Should().Be(exitCode, run.Error);
        run.Error.Split('\n')[0].Should().StartWith("fleet: ").And.Contain(named);
    }

    private Task<ProgramRun> ModelsAsync(params string[] arguments) =>
        Program.RunAsync(["models", .. arguments, "--registry", fleet.Registry]);
}
