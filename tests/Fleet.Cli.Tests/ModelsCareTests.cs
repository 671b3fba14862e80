using System.Text.Json;
using Fleet.Testing;

namespace Fleet.Cli.Tests;

/// <summary>Comparing, verifying, repairing and signing, through the real program.</summary>
public sealed class ModelsCareTests(RunningFleet fleet) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Diff_OfAFineTune_ShowsItsTensorsAndAnswersNo()
    {
        await PushAsync("care/diff");
        new ModelFolder(folder["tuned"]).ChangeNumbers(ModelFolder.Unet, name => name == "conv_in.bias", x => x * 2);

        var shown = await ModelsAsync("diff", "care/diff", "./tuned");
        var events = await ModelsAsync("diff", "care/diff", "./tuned", "--json");
        var same = await ModelsAsync("diff", "care/diff", "care/diff");

        shown.ExitCode.Should().Be(1, shown.Error);
        shown.Output.Should().Contain("changed  unet       conv_in.bias  1.000000").And.Contain("1 tensors differ");
        events.Event("tensorDifference").GetProperty("relativeNorm").GetDouble().Should().BeApproximately(1, 1e-9);
        same.ExitCode.Should().Be(0, same.Error);
    }

    [Fact]
    public async Task Repair_OfAPulledFolder_MakesVerifyAnswerYes()
    {
        await PushAsync("care/folder");
        (await ModelsAsync("pull", "care/folder", "-o", "pulled")).ExitCode.Should().Be(0);
        File.Delete(folder["pulled", "vae", "config.json"]);

        var damaged = await ModelsAsync("verify", "care/folder", "--folder", "pulled");
        var repaired = await ModelsAsync("repair", "care/folder", "--folder", "pulled");
        var verified = await ModelsAsync("verify", "care/folder", "--folder", "pulled", "--json");

        damaged.ExitCode.Should().Be(1, damaged.Error);
        damaged.Output.Should().Contain("missing  vae/config.json");
        repaired.Output.Should().Contain("1 files repaired");
        verified.ExitCode.Should().Be(0, verified.Error);
        verified.Events.Where(e => e.GetProperty("event").GetString() == "fileCheck").Should().OnlyContain(e => e.GetProperty("state").GetString() == "right");
    }

    [Fact]
    public async Task Verify_OfTheRegistry_ReadsEveryBlob()
    {
        await PushAsync("care/registry");

        var run = await ModelsAsync("verify", "care/registry", "--json");

        run.ExitCode.Should().Be(0, run.Error);
        run.Event("blobsVerified").GetProperty("blobs").GetInt64().Should().BePositive();
        (await ModelsAsync("repair", "care/registry", "--from", folder["tiny"])).Output.Should().Contain("0 blobs repaired");
    }

    [Fact]
    public async Task Sign_OfAVersionAndOfAFolder_IsCheckedByThePublicKey()
    {
        (await ModelsAsync("keygen", "studio")).ExitCode.Should().Be(0);
        (await ModelsAsync("keygen", "stranger")).ExitCode.Should().Be(0);
        await PushAsync("care/signed", "--sign", "studio.pem");
        (await ModelsAsync("sign", "./tiny", "--key", "studio.pem")).Output.Should().Contain("model.sig");

        (await ModelsAsync("check-signature", "care/signed", "--key", "studio.pub")).ExitCode.Should().Be(0);
        (await ModelsAsync("check-signature", "care/signed", "--key", "stranger.pub")).ExitCode.Should().Be(1);
        (await ModelsAsync("check-signature", "./tiny", "--key", "studio.pub")).ExitCode.Should().Be(0);
        await File.WriteAllTextAsync(folder["tiny", "evil.bin"], "evil", TestContext.Current.CancellationToken);
        var slipped = await ModelsAsync("check-signature", "./tiny", "--key", "studio.pub");

        slipped.ExitCode.Should().Be(1);
        slipped.Output.Should().Contain("evil.bin is not signed");
        (await ModelsAsync("show", "care/signed")).Output.Should().Contain("signed by");
    }

    [Fact]
    public async Task Keygen_WritesAPrivateKeyForItsOwnerOnly()
    {
        (await ModelsAsync("keygen", "studio")).ExitCode.Should().Be(0);

        if (!OperatingSystem.IsWindows())
        {
            File.GetUnixFileMode(folder["studio.pem"]).Should().Be(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        (await ModelsAsync("keygen", "studio")).ExitCode.Should().Be(64, "keys are never overwritten");
    }

    [Fact]
    public async Task Push_OfALora_IsListedByItsKind()
    {
        var pushed = await ModelsAsync("push", Path.Combine(Repository.OwnGolden, "lora", "sd1_kohya.safetensors"), "--name", "care/lora");

        pushed.ExitCode.Should().Be(0, pushed.Error);
        pushed.Output.Should().Contain("LoRA of rank");
        JsonElement version = (await ModelsAsync("show", "care/lora", "--json")).Event("version");
        version.GetProperty("traits").GetProperty("kind").GetString().Should().Be("lora");
    }

    [Fact]
    public async Task Gc_DryRun_SaysWhatWouldBeFreed()
    {
        var run = await ModelsAsync("gc", "--dry-run", "--json");

        run.ExitCode.Should().Be(0, run.Error);
        run.Event("garbage").GetProperty("dryRun").GetBoolean().Should().BeTrue();
    }

    [Theory]
    [InlineData(64, "no reference to a hub", "import", "studio/fox", "--name", "a")]
    [InlineData(69, "does not answer", "import", "hf://studio/fox", "--name", "a", "--endpoint", "http://127.0.0.1:1")]
    [InlineData(66, "no-key.pem", "sign", "care/none", "--key", "no-key.pem")]
    [InlineData(64, "needs the version", "verify", "--folder", "x")]
    [InlineData(64, "one of --folder", "repair", "care/none")]
    [InlineData(64, "names no digest", "delete", "care/none")]
    [InlineData(64, "must be a time", "history", "care/none", "--at", "yesterday")]
    [InlineData(64, "must be a number of bytes", "quota", "care", "much")]
    public async Task Models_WrongArguments_AreOneLineThatNamesThem(int exitCode, string named, params string[] arguments)
    {
        var run = await ModelsAsync(arguments);

        run.ExitCode.Should().Be(exitCode, run.Error);
        run.Error.Split('\n')[0].Should().StartWith("fleet: ").And.Contain(named);
    }

    private async Task PushAsync(string name, params string[] options)
    {
        _ = new ModelFolder(folder["tiny"]);
        var pushed = await ModelsAsync(["push", "tiny", "--name", name, .. options]);
        pushed.ExitCode.Should().Be(0, pushed.Error);
    }

    private Task<ProgramRun> ModelsAsync(params string[] arguments)
    {
        string[] registry = arguments[0] == "keygen" ? [] : ["--registry", fleet.Registry];
        return new FleetProgram(folder.Path).RunAsync(["models", .. arguments, .. registry]);
    }
}
