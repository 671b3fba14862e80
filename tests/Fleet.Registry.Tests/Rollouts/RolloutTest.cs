using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Fleet.Registry.Tests.Rollouts;

/// <summary>A registry whose time is moved by hand, with model "fox": two versions, alias `stable` at the first.</summary>
public abstract class RolloutTest(TestDatabase kind) : IAsyncLifetime
{
    private protected const string Model = "fox";

    private static readonly string[] Stages = ["encoder", "denoiser", "decoder"];

    private readonly TemporaryFolder folder = new();
    private readonly List<RolloutRegistry> replicas = [];
    private string database = "";
    private long reports;

    private protected JumpingTime Time { get; } = new();

    private protected RolloutRegistry Registry => replicas[0];

    private protected string Stable { get; set; } = "";

    private protected string Canary { get; set; } = "";

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        database = kind == TestDatabase.Postgres ? await SharedPostgres.CreateDatabaseAsync() : "";
        await StartAsync();
        Stable = await PublishAsync(0, "stable");
        Canary = await PublishAsync(1);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in replicas)
        {
            await replica.DisposeAsync();
        }

        if (database != "")
        {
            await SharedPostgres.DropDatabaseAsync(database);
        }

        folder.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Starts a replica of the registry over the same database.</summary>
    private protected async Task<RolloutRegistry> StartAsync()
    {
        var replica = await RolloutRegistry.StartAsync(Time, $"--Registry:DataPath={folder["registry"]}", $"--Registry:Database={database}");
        replicas.Add(replica);
        return replica;
    }

    /// <summary>Ends a replica at once, as when its process is killed.</summary>
    private protected async Task KillAsync(RolloutRegistry replica)
    {
        replicas.Remove(replica);
        await replica.DisposeAsync();
    }

    /// <summary>Kills the registry and starts it again; another has the lease only after it ran out.</summary>
    private protected async Task RestartAsync()
    {
        await KillAsync(Registry);
        await StartAsync();
        await Registry.LookAsync();
        await PassAsync(seconds: 5);
    }

    private protected async Task<string> PublishAsync(int tensor, params string[] aliases)
    {
        var model = new ModelFolder(folder[$"model-{tensor}"]).ChangeTensor(ModelFolder.Unet, tensor);
        return (await Registry.Client.PushAsync(model.FullPath, Model, aliases, cancellationToken: Cancellation)).Version.Digest;
    }

    /// <summary>A plan of short steps of which each needs 2 canary requests.</summary>
    private protected static RolloutPlan Plan(params double[] percents) => new()
    {
        Steps = { percents.Select(percent => new RolloutStep { Percent = percent, MinRequests = 2, MaxTime = Seconds(60) }) },
        Readiness = new Readiness { Timeout = Seconds(60) },
    };

    private protected static Duration Seconds(double seconds) => Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds));

    private protected async Task<Rollout> BeginAsync(RolloutPlan? plan = null) => (await Registry.Rollouts.StartRolloutAsync(
        new StartRolloutRequest { Model = Model, Canary = Canary, Plan = plan ?? Plan(5, 25) }, cancellationToken: Cancellation)).Rollout;

    /// <summary>Begins a rollout and brings it to its first step.</summary>
    private protected async Task<Rollout> BeginStepAsync(RolloutPlan? plan = null)
    {
        var rollout = await BeginAsync(plan);
        await ReportReadyAsync(rollout);
        await PassAsync(seconds: 3);
        return await ShouldBeAsync(rollout, RolloutState.Stepping);
    }

    private protected async Task ReportReadyAsync(Rollout rollout)
    {
        foreach (string stage in Stages)
        {
            await ReportAsync(rollout, stage, "one", ReplicaState.Ready);
        }
    }

    private protected async Task ReportAsync(Rollout rollout, string stage, string replica, ReplicaState state, string detail = "") =>
        await Registry.Traffic.ReportReadinessAsync(
            new ReportReadinessRequest
            {
                Stage = stage,
                Replica = replica,
                Progress =
                {
                    new WarmupProgress { Rollout = rollout.Id, Version = rollout.Stable, State = ReplicaState.Ready },
                    new WarmupProgress { Rollout = rollout.Id, Version = rollout.Canary, State = state, Detail = detail, Took = Seconds(1.5) },
                },
            },
            cancellationToken: Cancellation);

    private protected RequestOutcome Outcome(Rollout rollout, Arm arm, Fault fault = Fault.None) => new()
    {
        Rollout = rollout.Id,
        RequestId = Guid.NewGuid().ToString("N"),
        Arm = arm,
        At = Time.GetUtcNow().ToTimestamp(),
        Fault = fault,
        EncodeMs = 10,
        DenoiseMs = 1000,
        DecodeMs = 100,
        Width = 64,
        Height = 64,
        Steps = 4,
        Count = 1,
    };

    private protected Sample Pair(double ssim, byte thumbnail = 0) => new()
    {
        RequestId = Guid.NewGuid().ToString("N"),
        At = Time.GetUtcNow().ToTimestamp(),
        Seed = 7,
        Width = 64,
        Height = 64,
        Steps = 4,
        Distance = new PictureDistance { PsnrDb = 30, Ssim = ssim, LatentRmse = 0.1 },
        StableThumbnail = ByteString.CopyFrom(1, thumbnail),
        CanaryThumbnail = ByteString.CopyFrom(2, thumbnail),
        StableAnswered = true,
    };

    private protected async Task ReportAsync(params RequestOutcome[] outcomes) => await Registry.Traffic.ReportOutcomesAsync(
        new ReportOutcomesRequest { Reporter = "gateway", Sequence = ++reports, Outcomes = { outcomes } }, cancellationToken: Cancellation);

    private protected async Task ReportAsync(Rollout rollout, params Sample[] pairs) => await Registry.Traffic.ReportOutcomesAsync(
        new ReportOutcomesRequest { Reporter = "gateway", Sequence = ++reports, Pairs = { pairs }, PairRollouts = { pairs.Select(_ => rollout.Id) } },
        cancellationToken: Cancellation);

    /// <summary>Lets time pass in steps of half a second, after each of which every replica looks.</summary>
    private protected async Task PassAsync(double seconds)
    {
        for (double passed = 0; passed < seconds; passed += 0.5)
        {
            Time.Advance(TimeSpan.FromSeconds(0.5));
            foreach (var replica in replicas)
            {
                await replica.LookAsync();
            }
        }
    }

    private protected async Task<Rollout> ControlAsync(Rollout rollout, RolloutAction action, string reason = "because") =>
        (await Registry.Rollouts.ControlRolloutAsync(
            new ControlRolloutRequest { Rollout = rollout.Id, Action = action, Reason = reason }, cancellationToken: Cancellation)).Rollout;

    private protected async Task<Rollout> GetAsync(string rollout) =>
        (await Registry.Rollouts.GetRolloutAsync(new GetRolloutRequest { Rollout = rollout }, cancellationToken: Cancellation)).Rollout;

    private protected async Task<Rollout> ShouldBeAsync(Rollout rollout, RolloutState state)
    {
        var now = await GetAsync(rollout.Id);
        now.State.Should().Be(state, now.Reason);
        return now;
    }

    private protected async Task<string> StableAliasAsync() =>
        (await Registry.Client.ListAliasesAsync(Model, Cancellation)).Single(alias => alias.Name == "stable").Version;

    private protected static async Task<RpcException> ShouldFailAsync(Func<Task> call, StatusCode code)
    {
        var failure = (await call.Should().ThrowAsync<RpcException>()).Which;
        failure.StatusCode.Should().Be(code, failure.Status.Detail);
        return failure;
    }
}
