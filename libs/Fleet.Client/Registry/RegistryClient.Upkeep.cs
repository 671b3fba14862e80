using System.Runtime.CompilerServices;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;

namespace Fleet.Client.Registry;

/// <content>What keeps a registry in order: garbage, damaged blobs, quotas, the log of changes.</content>
public sealed partial class RegistryClient
{
    /// <summary>Frees the blobs that no version needs, or says with <paramref name="dryRun"/> what would be freed.</summary>
    /// <param name="dryRun">Free nothing.</param>
    /// <param name="uploadsOlderThan">Unfinished uploads untouched for so long are given up. Null: 24 hours.</param>
    /// <param name="cancellationToken">Stops waiting for the answer.</param>
    public async Task<CollectGarbageResponse> CollectGarbageAsync(
        bool dryRun, TimeSpan? uploadsOlderThan = null, CancellationToken cancellationToken = default)
    {
        var request = new CollectGarbageRequest { DryRun = dryRun };
        if (uploadsOlderThan is { } age)
        {
            request.UploadsOlderThanSeconds = (long)age.TotalSeconds;
        }

        return await registry.CollectGarbageAsync(request, cancellationToken: cancellationToken);
    }

    /// <summary>Has the registry read and hash the blobs of a version again, or all blobs when it is empty, and follows it.</summary>
    public async IAsyncEnumerable<VerifyBlobsResponse> VerifyBlobsAsync(
        string version = "", [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var call = registry.VerifyBlobs(new VerifyBlobsRequest { Version = version }, cancellationToken: cancellationToken);
        await foreach (var response in call.ResponseStream.ReadAllAsync(cancellationToken))
        {
            yield return response;
        }
    }

    /// <summary>Sets the most bytes that the versions of a namespace may hold; 0 lifts the limit.</summary>
    public async Task<Usage> SetQuotaAsync(string name, long bytes, CancellationToken cancellationToken = default) =>
        (await registry.SetQuotaAsync(new SetQuotaRequest { Namespace = name, Bytes = bytes }, cancellationToken: cancellationToken)).Usage;

    /// <summary>What namespaces hold, and their quotas.</summary>
    public async Task<IReadOnlyList<Usage>> ListUsageAsync(CancellationToken cancellationToken = default) =>
        (await registry.ListUsageAsync(new ListUsageRequest(), cancellationToken: cancellationToken)).Usages;

    /// <summary>Entries of the log that a request asks for, from all pages.</summary>
    public async IAsyncEnumerable<AuditEntry> ListEntriesAsync(
        ListEntriesRequest wanted, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var request = wanted.Clone();
        do
        {
            var page = await audit.ListEntriesAsync(request, cancellationToken: cancellationToken);
            foreach (var entry in page.Entries)
            {
                yield return entry;
            }

            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken != "");
    }

    /// <summary>Has the registry recompute the chain of the log's hashes and compare it with the catalog.</summary>
    public async Task<VerifyLogResponse> VerifyLogAsync(CancellationToken cancellationToken = default) =>
        await audit.VerifyLogAsync(new VerifyLogRequest(), cancellationToken: cancellationToken);
}
