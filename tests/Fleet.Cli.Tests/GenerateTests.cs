using System.Security.Cryptography;
using Fleet.Diffusion.Imaging;
using Fleet.Testing;

namespace Fleet.Cli.Tests;

public sealed class GenerateTests(RunningFleet fleet) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private FleetProgram Program => new(folder.Path);

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Generate_Prompt_WritesPictureThatInspectExplains()
    {
        var made = await GenerateAsync("a photo of a fox", "-o", "fox.png", "--seed", "7", "--steps", "3", "--sampler", "euler");
        made.ExitCode.Should().Be(0, made.Error);
        made.Lines.Should().Equal("fox.png");
        made.Error.Should().Contain("seed 7").And.Contain("noise");

        var inspected = await Program.RunAsync("inspect", "fox.png", "--json");
        var recipe = inspected.Event("recipe").GetProperty("recipe");
        recipe.GetProperty("prompt").GetString().Should().Be("a photo of a fox");
        recipe.GetProperty("seed").GetString().Should().Be("7");
        recipe.GetProperty("scheduler").GetString().Should().Be("euler");
        inspected.Event("recipe").GetProperty("records").GetProperty("parameters").GetString()
            .Should().StartWith("a photo of a fox\n").And.Contain("Steps: 3").And.Contain("Seed: 7");
    }

    [Fact]
    public async Task Generate_Json_TellsTheJobFromAcceptedToReceipt()
    {
        var run = await GenerateAsync("a fox", "--json", "--steps", "4", "--sampler", "euler", "--preview", "2", "--seed", "1", "-o", "a.png");

        run.Error.Should().BeEmpty();
        run.EventNames.First().Should().Be("accepted");
        run.EventNames.Should().ContainInOrder("accepted", "progress", "image", "receipt").And.Contain("preview");
        var image = run.Event("image");
        byte[] file = await File.ReadAllBytesAsync(folder["a.png"], TestContext.Current.CancellationToken);
        image.GetProperty("fileSha256").GetString().Should().Be(Convert.ToHexStringLower(SHA256.HashData(file)));
        run.Event("progress").GetProperty("steps").GetInt32().Should().Be(4);
        run.Event("receipt").GetProperty("timings").GetProperty("denoiseUs").GetInt64().Should().BePositive();
    }

    [Fact]
    public async Task Generate_InATerminal_DrawsProgressAndThePictureAsItForms()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/script"), "util-linux's script(1) makes the terminal.");

        var run = await Program.RunInTerminalAsync(
            "generate", "fox", "--steps", "150", "--sampler", "euler", "-o", "fox.png", "--fleet", fleet.Gateway);
        run.ExitCode.Should().Be(0, run.Output);
        run.Output.Should().Contain("/150").And.Contain("▀").And.Contain("\u001b[38;2;").And.Contain("fox.png");
    }

    [Fact]
    public async Task Generate_CountAndPattern_WritesEachPictureUnderItsOwnName()
    {
        var run = await GenerateAsync("a fox", "--steps", "2", "--count", "2", "--seed", "5", "-o", "out/{model}-{seed}-{index}-{width}.png", "-q");

        run.ExitCode.Should().Be(0, run.Error);
        run.Error.Should().BeEmpty();
        run.Lines.Should().Equal("out/fleet-tiny-5-0-32.png", "out/fleet-tiny-6-1-32.png");
        Directory.GetFileSystemEntries(folder["out"]).Should().HaveCount(2);
    }

    [Fact]
    public async Task Generate_SeveralPicturesAndOneName_NumbersThem()
    {
        var run = await GenerateAsync("a fox", "--steps", "2", "--count", "2", "--seed", "5", "-o", "fox.png");

        run.Lines.Should().Equal("fox-0.png", "fox-1.png");
    }

    [Fact]
    public async Task Generate_ExistingFile_IsReplacedOnlyWhenNamedAndAllowed()
    {
        await File.WriteAllTextAsync(folder["fox.png"], "mine", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(folder["fleet-5.png"], "mine", TestContext.Current.CancellationToken);

        (await GenerateAsync("a fox", "--steps", "1", "--seed", "5", "-o", "fox.png", "--no-overwrite")).Lines.Should().Equal("fox-2.png");
        (await GenerateAsync("a fox", "--steps", "1", "--seed", "5")).Lines.Should().Equal("fleet-5-2.png");
        (await GenerateAsync("a fox", "--steps", "1", "--seed", "5", "-o", "fox.png")).Lines.Should().Equal("fox.png");

        (await File.ReadAllTextAsync(folder["fleet-5.png"], TestContext.Current.CancellationToken)).Should().Be("mine");
        (await File.ReadAllBytesAsync(folder["fox.png"], TestContext.Current.CancellationToken))
            .Should().Equal(await File.ReadAllBytesAsync(folder["fox-2.png"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Generate_InitImageAndMask_IsReplayedFromTheSameFilesOnly()
    {
        await GenerateAsync("a fox", "--steps", "2", "--seed", "1", "-o", "init.png");
        await GenerateAsync("a mask", "--steps", "2", "--seed", "2", "-o", "mask.png");
        var made = await GenerateAsync(
            "a fox in the snow", "--init", "init.png", "--mask", "mask.png", "--strength", "0.5", "--steps", "4", "--seed", "3", "-o", "snow.png");
        made.ExitCode.Should().Be(0, made.Error);

        var without = await ReplayAsync("snow.png");
        without.ExitCode.Should().Be(64);
        without.Error.Should().Contain("--init").And.Contain("SHA-256");
        var with = await ReplayAsync("snow.png", "--init", "init.png", "--mask", "mask.png");
        with.ExitCode.Should().Be(0, with.Error);
        with.Output.Should().Contain("the same");
    }

    [Fact]
    public async Task Generate_PromptFromStandardInput_IsUsed()
    {
        using var process = Program.Start("generate", "-", "-o", "-", "--steps", "1", "--seed", "1", "--fleet", fleet.Gateway);
        await process.StandardInput.WriteLineAsync("a fox from a pipe");
        process.StandardInput.Close();
        using var png = new MemoryStream();
        await process.StandardOutput.BaseStream.CopyToAsync(png, TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        await File.WriteAllBytesAsync(folder["piped.png"], png.ToArray(), TestContext.Current.CancellationToken);
        var inspected = await Program.RunAsync("inspect", "piped.png");
        inspected.Output.Should().Contain("a fox from a pipe");
    }

    [Fact]
    public async Task Replay_AnotherPicture_SaysSo()
    {
        await GenerateAsync("a fox", "--steps", "2", "--seed", "1", "-o", "fox.png");
        byte[] file = await File.ReadAllBytesAsync(folder["fox.png"], TestContext.Current.CancellationToken);
        var picture = PngReader.ReadPicture(file);
        picture.Rgb[0] ^= 1;
        await File.WriteAllBytesAsync(
            folder["other.png"], PngWriter.Write(picture, PngReader.ReadText(file)), TestContext.Current.CancellationToken);

        var replayed = await ReplayAsync("other.png", "--json");
        replayed.ExitCode.Should().Be(1);
        replayed.Event("replay").GetProperty("samePixels").GetBoolean().Should().BeFalse();
    }

    [Theory]
    [InlineData(64, "--steps", "generate", "x", "--steps", "many")]
    [InlineData(64, "--steps is 10000", "generate", "x", "--steps", "10000")]
    [InlineData(64, "--width is 65", "generate", "x", "--size", "65x64")]
    [InlineData(64, "--sampler is 'eular'", "generate", "x", "--sampler", "eular")]
    [InlineData(64, "--guidance is NaN", "generate", "x", "--guidance", "NaN")]
    [InlineData(64, "--clip-skip is 9", "generate", "x", "--clip-skip", "9")]
    [InlineData(64, "--seed is -1", "generate", "x", "--seed", "-1")]
    [InlineData(69, "time", "generate", "x", "--timeout", "0.01")]
    [InlineData(64, "{sead}", "generate", "x", "-o", "{sead}.png")]
    [InlineData(64, "--init", "generate", "x", "--strength", "0.5")]
    [InlineData(66, "no-such.png", "generate", "x", "--init", "no-such.png")]
    [InlineData(66, "no/model", "generate", "x", "--model", "no/model")]
    [InlineData(64, "--fleet", "generate", "x", "--fleet", "here")]
    [InlineData(66, "no-such.png", "inspect", "no-such.png")]
    [InlineData(64, "'genrate'", "genrate", "x")]
    public async Task AnyCommand_BadInput_IsOneLineThatNamesIt(int exitCode, string named, params string[] arguments)
    {
        string[] address = arguments.Contains("--fleet") || arguments[0] != "generate" ? [] : ["--fleet", fleet.Gateway];
        var run = await Program.RunAsync([.. arguments, .. address]);

        run.ExitCode.Should().Be(exitCode, run.Error);
        run.Error.Split('\n')[0].Should().StartWith("fleet: ").And.Contain(named);
        run.Error.Should().NotContain("   at ");
        run.Output.Should().BeEmpty();
    }

    [Fact]
    public async Task Generate_FleetThatIsNotThere_NamesTheAddress()
    {
        var run = await Program.RunAsync("generate", "x", "--fleet", "http://127.0.0.1:1");

        run.ExitCode.Should().Be(69);
        run.Error.Should().StartWith("fleet: http://127.0.0.1:1 cannot be reached");
    }

    [Fact]
    public async Task Inspect_PictureWithoutRecipe_SaysWhatItCarries()
    {
        byte[] plain = PngWriter.Write(new Picture(1, 1, [1, 2, 3]), [new TextRecord("Software", "a drawing program")]);
        await File.WriteAllBytesAsync(folder["plain.png"], plain, TestContext.Current.CancellationToken);

        var run = await Program.RunAsync("inspect", "plain.png");
        run.ExitCode.Should().Be(65);
        run.Error.Should().Contain("no recipe").And.Contain("Software");
    }

    private Task<ProgramRun> GenerateAsync(params string[] arguments) =>
        Program.RunAsync(["generate", .. arguments, "--fleet", fleet.Gateway]);

    private Task<ProgramRun> ReplayAsync(params string[] arguments) => Program.RunAsync(["replay", .. arguments, "--fleet", fleet.Gateway]);
}
