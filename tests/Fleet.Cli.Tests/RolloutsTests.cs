using Fleet.Contracts.Registry.V1;
using Fleet.Testing;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Net.Client;

namespace Fleet.Cli.Tests;

public sealed class RolloutsTests(RunningFleet fleet) : IDisposable
{
    // Never ready by itself, whatever the fleet's stages report: each test moves it on.
    private const string Plan = "steps:\n  - percent: 1\n    shadow_percent: 20\n    min_requests: 20\n  - percent: 50\nreadiness:\n  min_replicas: 100\n";

    private readonly TemporaryFolder folder = new();
    private readonly string model = $"rolled/{Guid.NewGuid():N}";

    private FleetProgram Program => new(folder.Path);

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Rollout_StartedSteppedAndPromotedByHand_IsShownAllAlong()
    {
        string id = await StartAsync();
        (await RolloutAsync("list", model)).Output.Should().Contain(id).And.Contain("warming");

        var stepped = await RolloutAsync("step", id, "--reason", "a test");
        stepped.Output.Should().Be($"{id}  stepping, step 1 of 2: 1 % of requests, 20 % on both versions\n", stepped.Error);
        (await RolloutAsync("pause", id, "--reason", "a test")).ExitCode.Should().Be(0);
        (await RolloutAsync("resume", id, "--reason", "a test")).ExitCode.Should().Be(0);
        (await RolloutAsync("promote", model, "--reason", "it is fine")).ExitCode.Should().Be(0);

        var watched = await RolloutAsync("watch", id);
        watched.ExitCode.Should().Be(0, watched.Error);
        watched.Output.Should().Be($"{id}  promoted: it is fine\n");
        (await RolloutAsync("show", model)).Output.Should()
            .Contain("state     promoted").And.Contain("promoted by anonymous: it is fine").And.Contain("ANSWERS OF");
    }

    [Fact]
    public async Task Watch_ARolloutThatIsRolledBack_SaysSoInEventsAndExitsWithOne()
    {
        string id = await StartAsync();
        using var watching = Program.Start("rollout", "watch", id, "--json", "--registry", fleet.Registry);
        string first = (await watching.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!;

        (await RolloutAsync("rollback", id, "--reason", "not today")).ExitCode.Should().Be(0);
        var run = await FleetProgram.EndAsync(watching, first + "\n");

        run.ExitCode.Should().Be(1, run.Error);
        run.EventNames.Should().OnlyContain(name => name == "rollout");
        var last = run.Events[^1].GetProperty("rollout");
        last.GetProperty("state").GetString().Should().Be("ROLLOUT_STATE_ROLLED_BACK");
        last.GetProperty("verdicts")[0].GetProperty("reason").GetString().Should().Be("not today");
    }

    [Fact]
    public async Task Watch_InATerminal_DrawsAndLeavesTheResult()
    {
        string id = await StartAsync();
        var drawn = Program.RunInTerminalAsync("rollout", "watch", id, "--registry", fleet.Registry);
        (await RolloutAsync("rollback", id, "--reason", "enough")).ExitCode.Should().Be(0);

        var run = await drawn;

        run.ExitCode.Should().Be(1);
        run.Output.Should().Contain("━━━ 1 %").And.Contain($"{id}  rolled back: enough");
    }

    [Fact]
    public async Task Show_Samples_WritesTheirThumbnails()
    {
        string id = await StartAsync();
        await ReportPairAsync(id);

        var run = await RolloutAsync("show", id, "--samples", "pairs");

        run.ExitCode.Should().Be(0, run.Error);
        string file = Path.Combine("pairs", "worst-01-ssim-0.250-seed-7-canary.png");
        run.Output.Should().Contain(file).And.Contain("pairs     1");
        (await File.ReadAllBytesAsync(folder[file], TestContext.Current.CancellationToken)).Should().Equal(2, 2);
        await RolloutAsync("rollback", id, "--reason", "a test");
    }

    [Fact]
    public async Task Plan_Standard_IsWhatItsCheckPrints()
    {
        var standard = await RolloutAsync("plan");
        standard.ExitCode.Should().Be(0, standard.Error);
        await File.WriteAllTextAsync(folder["plan.yaml"], standard.Output, TestContext.Current.CancellationToken);

        (await RolloutAsync("plan", "--check", "plan.yaml")).Output.Should().Be(standard.Output);
        standard.Output.Should().Contain("steps:").And.Contain("alpha: 0.05");
    }

    [Theory]
    [InlineData(65, "steps[0].percent is 150; give 0 to 100", "plan", "--check", "wrong.yaml")]
    [InlineData(66, "'missing.yaml' is no file", "plan", "--check", "missing.yaml")]
    [InlineData(66, "no/model", "show", "no/model")]
    [InlineData(66, "no/model", "start", "no/model", "sha256:000000000000")]
    [InlineData(64, "--reason", "rollback", "no/model")]
    public async Task Rollout_BadInput_IsOneLineThatNamesIt(int exitCode, string named, params string[] arguments)
    {
        await File.WriteAllTextAsync(folder["wrong.yaml"], "steps:\n  - percent: 150\n", TestContext.Current.CancellationToken);

        var run = await RolloutAsync(arguments);

        run.ExitCode.Should().Be(exitCode, run.Error);
        run.Error.Split('\n')[0].Should().StartWith("fleet: ").And.Contain(named);
    }

    private async Task<string> StartAsync()
    {
        var files = new ModelFolder(folder["model"]);
        (await Program.RunAsync("models", "push", "model", "--name", model, "--alias", "stable", "--registry", fleet.Registry)).ExitCode.Should().Be(0);
        files.ChangeTensor(ModelFolder.Unet, index: 0);
        (await Program.RunAsync("models", "push", "model", "--name", model, "--alias", "candidate", "--registry", fleet.Registry)).ExitCode.Should().Be(0);
        await File.WriteAllTextAsync(folder["plan.yaml"], Plan, TestContext.Current.CancellationToken);
        var started = await RolloutAsync("start", model, $"{model}@candidate", "--plan", "plan.yaml");
        started.ExitCode.Should().Be(0, started.Error);
        return started.Lines.Single();
    }

    private async Task ReportPairAsync(string rollout)
    {
        using var channel = GrpcChannel.ForAddress(fleet.Registry);
        await new Traffic.TrafficClient(channel).ReportOutcomesAsync(new ReportOutcomesRequest
        {
            Reporter = rollout,
            Sequence = 1,
            PairRollouts = { rollout },
            Pairs =
            {
                new Sample
                {
                    RequestId = "one",
                    At = DateTimeOffset.UtcNow.ToTimestamp(),
                    Seed = 7,
                    Distance = new PictureDistance { PsnrDb = 20, Ssim = 0.25 },
                    StableThumbnail = ByteString.CopyFrom(1, 1),
                    CanaryThumbnail = ByteString.CopyFrom(2, 2),
                },
            },
        });
    }

    private Task<ProgramRun> RolloutAsync(params string[] arguments) => Program.RunAsync(["rollout", .. arguments, "--registry", fleet.Registry]);
}
