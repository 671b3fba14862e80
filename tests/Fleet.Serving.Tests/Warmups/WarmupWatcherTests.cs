using Fleet.Client.Registry;
using Fleet.Contracts;
using Fleet.Contracts.Registry.V1;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;
using Fleet.Serving.Tests.Versions;
using Fleet.Serving.Versions;
using Fleet.Serving.Warmups;
using Fleet.Testing;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Fleet.Serving.Tests.Warmups;

public sealed class WarmupWatcherTests : IAsyncLifetime
{
    private static readonly string Model = Path.Combine(Repository.OwnGolden, "models", "sd1");

    private readonly TemporaryFolder folder = new();
    private readonly TensorPool pool = new();
    private readonly Trial trial = new();
    private readonly LogList<WarmupWatcher<Vae>> log = new();
    private readonly List<IDisposable> opened = [];
    private RunningRegistry registry = null!;
    private TrafficPeer traffic = null!;
    private ResidentModels<Vae> models = null!;
    private WarmupWatcher<Vae> watcher = null!;
    private string version = "";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        registry = await RunningRegistry.StartAsync(folder["registry"]);
        version = (await registry.Client.PushAsync(Model, "tiny", cancellationToken: Cancellation)).Version.Digest;
        traffic = await TrafficPeer.StartAsync();
        watcher = Watch(traffic.Address);
        await watcher.StartAsync(Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await watcher.StopAsync(CancellationToken.None);
        await models.DisposeAsync();
        await traffic.DisposeAsync();
        opened.ForEach(thing => thing.Dispose());
        await registry.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task Listed_IsFetchedLoadedTriedAndReported()
    {
        traffic.List(Warmup("ro-1"));

        var reports = await traffic.UntilAsync("ro-1", progress => progress.State == ReplicaState.Ready);

        reports.Select(progress => progress.State).Should().BeInAscendingOrder();
        var ready = reports[^1];
        (ready.Version, ready.AddedBytes, ready.SharedBytes).Should().Be((version, pool.Bytes, 0L));
        ready.FetchedBytes.Should().BeGreaterThan(ready.AddedBytes);
        ready.Took.ToTimeSpan().Should().BePositive();
        trial.Runs.Should().Equal(version);
        traffic.Watching.Should().Be(new WatchWarmupsRequest { Stage = "decoder", Replica = "here" });
        using var lease = await models.AcquireAsync(version, Cancellation);
        lease.Cold.Should().BeFalse();
    }

    [Fact]
    public async Task Listed_StaysLoadedUntilItIsNotListedAnyMore()
    {
        string[] others = [await PushChangedAsync(1), await PushChangedAsync(2)];
        traffic.List(Warmup("ro-1"));
        await traffic.UntilAsync("ro-1", progress => progress.State == ReplicaState.Ready);

        (await models.AcquireAsync(others[0], Cancellation)).Dispose();
        (await models.AcquireAsync(others[1], Cancellation)).Dispose();
        models.Versions.Should().BeEquivalentTo([version, others[1]], "one idle version may stay, and the listed one is not idle");

        traffic.List(new Warmup { Rollout = "ro-2", Version = others[1] });
        await traffic.UntilAsync("ro-2", progress => progress.State == ReplicaState.Ready);
        (await models.AcquireAsync(others[0], Cancellation)).Dispose();
        models.Versions.Should().BeEquivalentTo(others);
    }

    [Fact]
    public async Task Trial_ThatFails_IsReportedAndTriedAgainWhenAskedAnew()
    {
        trial.Failure = new FaultyVersionException("it gives NaN", Wire.NotFinite);
        traffic.List(Warmup("ro-1"));

        var failed = (await traffic.UntilAsync("ro-1", progress => progress.State == ReplicaState.Failed))[^1];
        trial.Failure = null;
        traffic.List(Warmup("ro-2"));
        await traffic.UntilAsync("ro-2", progress => progress.State == ReplicaState.Ready);

        failed.Detail.Should().Be("it gives NaN");
        trial.Runs.Should().HaveCount(2);
    }

    [Fact]
    public async Task UnknownVersion_IsReportedAsFailedByName()
    {
        string unknown = "sha256:" + new string('0', 64);

        traffic.List(new Warmup { Rollout = "ro-1", Version = unknown });

        (await traffic.UntilAsync("ro-1", progress => progress.State == ReplicaState.Failed))[^1].Detail.Should().Contain(unknown);
    }

    [Fact]
    public async Task RegistryGone_VersionStaysAndTheWatchGoesOnWhenItIsBack()
    {
        traffic.List(Warmup("ro-1"));
        await traffic.UntilAsync("ro-1", progress => progress.State == ReplicaState.Ready);
        string address = traffic.Address;
        await traffic.DisposeAsync();
        await log.UntilAsync("*cannot be followed*");

        models.Versions.Should().Equal(version);
        traffic = await TrafficPeer.StartAsync(address);
        traffic.List(Warmup("ro-1"), new Warmup { Rollout = "ro-2", Version = version });

        (await traffic.UntilAsync("ro-2", progress => progress.State == ReplicaState.Ready)).Should().NotBeEmpty();
        trial.Runs.Should().Equal([version], "it was loaded all the time");
    }

    [Fact]
    public async Task RegistryWithoutTraffic_IsNotComplainedAbout()
    {
        await watcher.StopAsync(Cancellation);
        await models.DisposeAsync();
        var without = RegistryWithoutTraffic();
        await without.StartAsync(Cancellation);
        watcher = Watch(without.Urls.Single());

        await watcher.StartAsync(Cancellation);

        await log.UntilAsync("The registry knows no rollouts");
        log.Messages.Should().NotContainMatch("*cannot be followed*");
        await watcher.StopAsync(Cancellation);
        await without.DisposeAsync();
    }

    private static Microsoft.AspNetCore.Builder.WebApplication RegistryWithoutTraffic()
    {
        var builder = FleetDefaults.CreateBuilder("registry", ["--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=None"]);
        return builder.Build().MapFleetDefaults();
    }

    private Warmup Warmup(string rollout) => new() { Rollout = rollout, Version = version };

    private WarmupWatcher<Vae> Watch(string address)
    {
        var client = new RegistryClient(registry.Address);
        var store = new VersionStore(client, Options.Create(new VersionStoreOptions { Path = folder["store"] }), NullLogger<VersionStore>.Instance);
        var versions = new StageVersions<Vae>(store, pool, path => path.StartsWith("vae/", StringComparison.Ordinal), Vae.Load);
        var channel = GrpcChannel.ForAddress(address);
        opened.AddRange([client, channel]);
        models = new ResidentModels<Vae>(versions.ContentOfAsync, versions.LoadAsync, capacity: 1);
        return new WarmupWatcher<Vae>(new Traffic.TrafficClient(channel), new StageReplica("decoder", "here"), versions, models, trial, TimeProvider.System, log);
    }

    private async Task<string> PushChangedAsync(byte change)
    {
        string copy = folder[$"model-{change}"];
        foreach (string file in Directory.GetFiles(Model, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(copy, Path.GetRelativePath(Model, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        string weights = Path.Combine(copy, "vae", "diffusion_pytorch_model.safetensors");
        byte[] content = File.ReadAllBytes(weights);
        content[^4] ^= change; // the lowest bits of a float
        File.WriteAllBytes(weights, content);
        return (await registry.Client.PushAsync(copy, "tiny", cancellationToken: Cancellation)).Version.Digest;
    }

    private sealed class Vae(AutoencoderKL autoencoder) : IStageModel<Vae>
    {
        public static Vae Load(Checkpoint checkpoint, string version) => new(AutoencoderKL.Load(checkpoint));

        public Vae For(string version) => this;

        public void Dispose() => autoencoder.Dispose();
    }

    private sealed class Trial : ITrialRun<Vae>
    {
        public List<string> Runs { get; } = [];

        public Exception? Failure { get; set; }

        public Task RunAsync(string version, Vae model, CancellationToken cancellation)
        {
            Runs.Add(version);
            return Failure is null ? Task.CompletedTask : Task.FromException(Failure);
        }
    }
}
