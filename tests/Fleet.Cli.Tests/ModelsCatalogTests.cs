using Fleet.Testing;

namespace Fleet.Cli.Tests;

/// <summary>What is said about versions, their history, and what is taken away, through the real program.</summary>
public sealed class ModelsCatalogTests(RunningFleet fleet) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Push_WithMetadata_IsFoundByItAndEdited()
    {
        await File.WriteAllTextAsync(folder["CARD.md"], "# A fox in ink", TestContext.Current.CancellationToken);
        await PushAsync("said/fox", "--license", "mit", "--card", "CARD.md", "--label", "ink", "--metric", "fid=12.5", "--training-run", "run-7");

        var found = await RunAsync("models", "list", "--search", "FOX ink", "--license", "mit", "--label", "ink", "--json");
        var edited = await RunAsync("models", "edit", "said/fox", "--metric", "clip=0.31", "--license", "apache-2.0");
        var shown = await RunAsync("models", "show", "said/fox");

        found.ExitCode.Should().Be(0, found.Error);
        found.Event("version").GetProperty("model").GetString().Should().Be("said/fox");
        edited.ExitCode.Should().Be(0, edited.Error);
        shown.Output.Should().Contain("apache-2.0").And.Contain("clip=0.31 fid=12.5").And.Contain("# A fox in ink").And.Contain("run-7");
        (await RunAsync("models", "list", "--license", "mit", "--label", "ink")).Output.Should().NotContain("said/fox");
    }

    [Fact]
    public async Task History_SaysWhatHappenedAndWhatWasLive()
    {
        string digest = await PushAsync("past/fox", "--alias", "stable");
        string after = DateTimeOffset.UtcNow.AddSeconds(1).ToString("O");

        var history = await RunAsync("models", "history", "past/fox");
        var live = await RunAsync("models", "history", "past/fox", "--at", after, "--json");
        var before = await RunAsync("models", "history", "past/fox", "--at", "2020-01-01");

        history.Output.Should().Contain("version.publish").And.Contain("alias.set");
        live.Event("live").GetProperty("version").GetString().Should().Be(digest);
        before.ExitCode.Should().Be(66, before.Error);
    }

    [Fact]
    public async Task Audit_ListAndVerify_TellTheChain()
    {
        await PushAsync("audited/fox", "--alias", "stable");

        var listed = await RunAsync("audit", "list", "--model", "audited/fox", "--action", "alias.set", "--json");
        var verified = await RunAsync("audit", "verify");

        listed.Event("auditEntry").GetProperty("details").GetProperty("from").GetString().Should().Be("none");
        verified.ExitCode.Should().Be(0, verified.Error);
        verified.Output.Should().Contain("none changed");
    }

    [Fact]
    public async Task Alias_Protected_IsNotDeleted()
    {
        await PushAsync("guarded/fox", "--alias", "stable");

        (await RunAsync("models", "alias", "guarded/fox", "stable", "--protect")).Output.Should().Contain("protected");
        (await RunAsync("models", "alias", "guarded/fox", "stable", "--delete")).ExitCode.Should().NotBe(0);
        (await RunAsync("models", "alias", "guarded/fox", "stable", "--unprotect")).Output.Should().NotContain("protected");
        (await RunAsync("models", "alias", "guarded/fox", "stable", "--delete")).ExitCode.Should().Be(0);
    }

    [Fact]
    public async Task Delete_OfAVersionThatNothingRefersTo_RemovesIt()
    {
        string digest = await PushAsync("gone/fox", "--alias", "stable");

        var refused = await RunAsync("models", "delete", $"gone/fox@{digest}");
        (await RunAsync("models", "deprecate", "gone/fox", "--reason", "old")).Output.Should().Contain("deprecated  old");
        (await RunAsync("models", "alias", "gone/fox", "stable", "--delete")).ExitCode.Should().Be(0);
        var deleted = await RunAsync("models", "delete", $"gone/fox@{digest}");

        refused.ExitCode.Should().Be(65, refused.Error);
        refused.Error.Should().Contain("stable");
        deleted.ExitCode.Should().Be(0, deleted.Error);
        (await RunAsync("models", "show", $"gone/fox@{digest}")).ExitCode.Should().Be(66);
    }

    [Fact]
    public async Task Quota_IsShownWithTheUsage()
    {
        await PushAsync("bounded/fox");

        (await RunAsync("models", "quota", "bounded", "1GiB")).ExitCode.Should().Be(0);
        var usage = await RunAsync("models", "usage");

        usage.Output.Should().MatchRegex(@"bounded +1 .* 1\.0 GiB");
    }

    // Equal files are one version of several models; a file of its own makes each test's version its own.
    private async Task<string> PushAsync(string name, params string[] options)
    {
        _ = new ModelFolder(folder["tiny"]).Write("README.md", System.Text.Encoding.UTF8.GetBytes(name));
        var pushed = await RunAsync(["models", "push", "tiny", "--name", name, "--json", .. options]);
        pushed.ExitCode.Should().Be(0, pushed.Error);
        return pushed.Event("version").GetProperty("digest").GetString()!;
    }

    private Task<ProgramRun> RunAsync(params string[] arguments) =>
        new FleetProgram(folder.Path).RunAsync([.. arguments, "--registry", fleet.Registry]);
}
