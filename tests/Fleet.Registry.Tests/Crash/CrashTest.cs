using Fleet.Client.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Safetensors;
using Grpc.Core;
using Grpc.Net.Client;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Tests.Crash;

/// <summary>A registry process, a model that changes from push to push, and what has to hold after every kill.</summary>
public abstract class CrashTest : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly ModelFolder model;

    protected CrashTest() => model = new ModelFolder(folder["model"]);

    private protected string DataPath => folder["registry"];

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        folder.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? int.Parse(value) : otherwise;

    /// <summary>Changes a byte of each of some tensors.</summary>
    private protected void ChangeModel(Random random, int tensors)
    {
        string file = model[ModelFolder.Unet];
        var header = SafetensorsHeader.Read(file);
        byte[] content = File.ReadAllBytes(file);
        var chosen = header.Entries.ToArray();
        random.Shuffle(chosen);
        foreach (var tensor in chosen.Take(tensors))
        {
            content[header.DataStart + tensor.Begin + random.NextInt64(tensor.ByteLength)] ^= (byte)random.Next(1, 256);
        }

        File.WriteAllBytes(file, content);
    }

    /// <summary>Pushes the model; false when the registry died before the end.</summary>
    private protected async Task<bool> TryPushAsync(RegistryProcess registry, Task killed)
    {
        using var client = new RegistryClient(registry.Address);
        using var cancelling = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var push = client.PushAsync(model.FullPath, "tiny", cancellationToken: cancelling.Token);
        if (await Task.WhenAny(push, killed) == push)
        {
            await push;
            return true;
        }

        await cancelling.CancelAsync();
        await push.ContinueWith(_ => { }, TaskScheduler.Default);
        return push.IsCompletedSuccessfully;
    }

    /// <summary>Every version that is shown is whole; pushing again ends, and then the store holds what was pushed.</summary>
    private protected async Task ShouldRecoverAsync(RegistryProcess registry)
    {
        using var channel = GrpcChannel.ForAddress(registry.Address);
        var rpc = new V1.Registry.RegistryClient(channel);
        var newest = await rpc.ListVersionsAsync(new ListVersionsRequest { Model = "tiny", PageSize = 1 }, cancellationToken: Cancellation);
        if (newest.Versions.Count > 0)
        {
            await ShouldBeIntactAsync(rpc, newest.Versions[0].Digest);
        }

        using var client = new RegistryClient(registry.Address);
        var pushed = await client.PushAsync(model.FullPath, "tiny", cancellationToken: Cancellation);
        await ShouldBeIntactAsync(rpc, pushed.Version.Digest);
    }

    /// <summary>All blobs have their digests, and the audit log its chain.</summary>
    private protected static async Task ShouldVerifyAsync(RegistryProcess registry)
    {
        using var channel = GrpcChannel.ForAddress(registry.Address);
        await ShouldBeIntactAsync(new V1.Registry.RegistryClient(channel), version: "");
        var log = await new V1.Audit.AuditClient(channel).VerifyLogAsync(new VerifyLogRequest(), cancellationToken: Cancellation);
        log.Faults.Should().BeEmpty();
    }

    private static async Task ShouldBeIntactAsync(V1.Registry.RegistryClient rpc, string version)
    {
        using var call = rpc.VerifyBlobs(new VerifyBlobsRequest { Version = version }, cancellationToken: Cancellation);
        await foreach (var response in call.ResponseStream.ReadAllAsync(Cancellation))
        {
            response.Damaged.Should().BeEmpty();
            response.Missing.Should().BeEmpty();
        }
    }
}
