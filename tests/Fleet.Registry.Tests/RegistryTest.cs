using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Blobs.S3;
using Fleet.Registry.Tests.Storage;
using Fleet.Testing;
using Google.Protobuf;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Tests;

/// <summary>A registry of the test's own over an empty folder and database, and what most tests do with it.</summary>
public abstract class RegistryTest(TestDatabase kind = TestDatabase.Sqlite, BlobPlace place = BlobPlace.Folder) : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private string database = "";
    private RunningRegistry? running;
    private S3Server? bucket;

    private protected string DataPath => folder["registry"];

    private protected RegistryClient Client => running!.Client;

    private protected V1.Registry.RegistryClient Rpc => running!.Rpc;

    private protected RunningRegistry Running => running!;

    private protected TemporaryFolder Folder => folder;

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Settings of the registry beside its folder, its database and its bucket.</summary>
    private protected virtual IEnumerable<string> Settings => [];

    /// <summary>The store that holds the blobs, when it is a bucket.</summary>
    private protected S3Server Bucket => bucket!;

    public async ValueTask InitializeAsync()
    {
        database = kind == TestDatabase.Postgres ? await SharedPostgres.CreateDatabaseAsync() : "";
        bucket = place == BlobPlace.Bucket ? await S3Server.StartAsync(folder["s3"]) : null;
        running = await StartReplicaAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await (running?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (bucket?.DisposeAsync() ?? ValueTask.CompletedTask);
        if (database != "")
        {
            await SharedPostgres.DropDatabaseAsync(database);
        }

        folder.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected static string Golden(params string[] parts) => Path.Combine([Repository.OwnGolden, .. parts]);

    /// <summary>Stops the registry at once, as when its process is killed, and starts it at the same address.</summary>
    private protected async Task RestartAsync()
    {
        await running!.DisposeAsync();
        running = await StartReplicaAsync(running.Address);
    }

    /// <summary>Another replica of the registry, over the same database and the same blobs.</summary>
    private protected Task<RunningRegistry> StartReplicaAsync(string url = "http://127.0.0.1:0") =>
        RunningRegistry.StartAsync(DataPath, url, [$"--Registry:Database={database}", .. bucket?.Settings ?? [], .. Settings]);

    private protected Task<PushResult> PushAsync(string path, string model = "tiny", params string[] aliases) =>
        Client.PushAsync(path, model, aliases, cancellationToken: Cancellation);

    private protected async Task<UploadBlobsResponse> UploadAsync(params UploadBlobsRequest[] requests)
    {
        using var call = Rpc.UploadBlobs(cancellationToken: Cancellation);
        try
        {
            foreach (var request in requests)
            {
                await call.RequestStream.WriteAsync(request, Cancellation);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (RpcException)
        {
            // The call's own status follows.
        }

        return await call;
    }

    private protected async Task<bool> HasAsync(Digest digest)
    {
        var request = new FindMissingBlobsRequest();
        request.Sha256.Add(digest.ToByteString());
        return (await Rpc.FindMissingBlobsAsync(request, cancellationToken: Cancellation)).Sha256.Count == 0;
    }

    private protected async Task<byte[]> DownloadAsync(Digest digest, long offset = 0)
    {
        using var call = Rpc.DownloadBlob(new DownloadBlobRequest { Sha256 = digest.ToByteString(), Offset = offset }, cancellationToken: Cancellation);
        var content = new MemoryStream();
        await foreach (var response in call.ResponseStream.ReadAllAsync(Cancellation))
        {
            response.Data.WriteTo(content);
        }

        return content.ToArray();
    }

    private protected string BlobPath(Digest digest) => Path.Combine(bucket?.BlobFolder ?? Path.Combine(DataPath, "blobs"), digest.Hex[..2], digest.Hex);

    private protected static UploadBlobsRequest Start(Digest digest, long size, long offset = 0) =>
        new() { Start = new UploadStart { Sha256 = digest.ToByteString(), Size = size, Offset = offset } };

    private protected static UploadBlobsRequest Data(params byte[] data) => new() { Data = ByteString.CopyFrom(data) };

    private protected static byte[] RandomBytes(int count, int seed = 1)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private protected static async Task<RpcException> ShouldFailAsync(Func<Task> call, StatusCode code, string detail)
    {
        var failure = (await call.Should().ThrowAsync<RpcException>()).Which;
        failure.StatusCode.Should().Be(code);
        failure.Status.Detail.Should().Match(detail);
        return failure;
    }
}
