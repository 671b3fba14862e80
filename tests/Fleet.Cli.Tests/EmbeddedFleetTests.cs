using Fleet.Testing;

namespace Fleet.Cli.Tests;

public sealed class EmbeddedFleetTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private FleetProgram Program => new(folder.Path);

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Generate_FirstUseByTwoProgramsAtOnce_MakesTheSamePicture()
    {
        string[] arguments = ["generate", "a fox", "--seed", "3", "--steps", "2", "--threads", "1", "-o"];
        var runs = await Task.WhenAll(Program.RunAsync([.. arguments, "a.png"]), Program.RunAsync([.. arguments, "b.png"]));

        runs.Should().AllSatisfy(run => run.ExitCode.Should().Be(0, run.Error));
        byte[] first = await File.ReadAllBytesAsync(folder["a.png"], TestContext.Current.CancellationToken);
        (await File.ReadAllBytesAsync(folder["b.png"], TestContext.Current.CancellationToken)).Should().Equal(first);

        var replayed = await Program.RunAsync("replay", "a.png", "--threads", "1");
        replayed.ExitCode.Should().Be(0, replayed.Error);
    }

    [Fact]
    public async Task Samplers_WithoutFleet_ListsWhatRequestsMayName()
    {
        var run = await Program.RunAsync("samplers", "--json");

        run.Events.Select(sampler => sampler.GetProperty("name").GetString()).Should().Contain(["euler", "dpmpp-2m", "ddim", "unipc"]);
    }

    [Fact]
    public async Task Doctor_ThisMachine_FindsNoFault()
    {
        var run = await Program.RunAsync("doctor", "--json");

        run.ExitCode.Should().Be(0, run.Output);
        run.Events.Select(check => check.GetProperty("name").GetString())
            .Should().Contain([".NET", "libtorch", "memory", "data folder", "disk", "registry", "devices"]);
    }

    [Fact]
    public async Task Doctor_DataFolderThatIsAFile_IsAFaultWithARemedy()
    {
        string file = folder["home"];
        await File.WriteAllTextAsync(file, "not a folder", TestContext.Current.CancellationToken);

        var run = await new FleetProgram(folder.Path, home: file).RunAsync("doctor");
        run.ExitCode.Should().Be(1);
        run.Lines.Should().ContainSingle(line => line.StartsWith("fault")).Which.Should().Contain("data folder");
        run.Output.Should().Contain("FLEET_HOME");
    }
}
