using System.Net;
using System.Text.Json;
using Fleet.Client.Registry;

namespace Fleet.Client.Hub;

/// <summary>Lists and fetches files of a repository from a server that speaks the protocol of the Hugging Face hub.</summary>
/// <remarks>
/// The protocol's facts: <c>/api/models/REPO/revision/REV</c> gives the commit (sha); <c>/api/models/REPO/tree/COMMIT?recursive=true</c> lists files in pages
/// that a Link header continues, each with its git oid and, when it is in Git LFS, lfs.oid; <c>/REPO/resolve/COMMIT/PATH</c> gives the bytes, for LFS files
/// behind a redirect, with X-Repo-Commit and X-Linked-Etag (or ETag) naming commit and content (huggingface_hub, hf_api.py and file_download.py).
/// </remarks>
public sealed class HubClient(HubOptions options) : IDisposable
{
    private const int BufferBytes = 64 * 1024;
    private const int MaxDamagedArrivals = 3;

    private readonly HubRequests requests = new(options);

    /// <summary>The files of a repository at a revision.</summary>
    /// <exception cref="HubException">There is no such thing, or the hub does not give it.</exception>
    public async Task<HubListing> ListAsync(HubReference reference, CancellationToken cancellationToken = default)
    {
        var about = await GetJsonAsync(
            requests.Address($"api/models/{reference.Repository}/revision/{Uri.EscapeDataString(reference.Revision)}"), cancellationToken);
        string commit = about.Json.GetProperty("sha").GetString()!;

        var files = new List<HubFile>();
        var next = requests.Address($"api/models/{reference.Repository}/tree/{commit}?recursive=true");
        while (next is not null)
        {
            var page = await GetJsonAsync(next, cancellationToken);
            files.AddRange(page.Json.EnumerateArray().Where(entry => entry.GetProperty("type").GetString() == "file").Select(ReadFile));
            next = page.Next is null ? null : new Uri(next, page.Next);
        }

        return new HubListing(commit, files);
    }

    /// <summary>Fetches a file. What an earlier try left in "PATH.partial" is gone on with; the file appears when it is complete and right.</summary>
    /// <exception cref="HubException">The hub does not give it, or gives other bytes again and again.</exception>
    public async Task DownloadAsync(
        HubReference reference, string commit, HubFile file, string path, Action<long> onReceived, CancellationToken cancellationToken = default)
    {
        _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string partial = path + ".partial";
        using var hash = new HubContentHash(file);
        await using (var destination = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1))
        {
            await HashHeldAsync(destination, file, hash, onReceived, cancellationToken);
            for (int damagedArrivals = 0; ; damagedArrivals++)
            {
                await AttemptsAsync(() => ReceiveAsync(reference, commit, file, destination, hash, onReceived, cancellationToken), cancellationToken);
                if (destination.Length == file.Size && hash.IsRight())
                {
                    break;
                }

                Restart(destination, hash, onReceived);
                if (damagedArrivals == MaxDamagedArrivals - 1)
                {
                    throw new HubException(HubFault.Damaged, $"{file.Path} arrived damaged {MaxDamagedArrivals} times: its bytes have another digest than the hub says");
                }
            }

            destination.Flush(flushToDisk: true);
        }

        File.Move(partial, path, overwrite: true);
    }

    /// <inheritdoc/>
    public void Dispose() => requests.Dispose();

    private static HubFile ReadFile(JsonElement entry)
    {
        bool large = entry.TryGetProperty("lfs", out var lfs) && lfs.ValueKind == JsonValueKind.Object;
        return new HubFile(
            entry.GetProperty("path").GetString()!,
            large ? lfs.GetProperty("size").GetInt64() : entry.GetProperty("size").GetInt64(),
            large ? "" : entry.GetProperty("oid").GetString()!,
            large ? lfs.GetProperty("oid").GetString()! : "");
    }

    private static void Restart(FileStream destination, HubContentHash hash, Action<long> onReceived)
    {
        onReceived(-destination.Length);
        destination.SetLength(0);
        hash.Restart();
    }

    private static async Task HashHeldAsync(
        FileStream destination, HubFile file, HubContentHash hash, Action<long> onReceived, CancellationToken cancellationToken)
    {
        if (destination.Length > file.Size)
        {
            destination.SetLength(0);
        }

        byte[] buffer = new byte[BufferBytes];
        for (int count; (count = await destination.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            hash.Append(buffer.AsSpan(0, count));
            onReceived(count);
        }
    }

    private async Task ReceiveAsync(
        HubReference reference, string commit, HubFile file, FileStream destination, HubContentHash hash, Action<long> onReceived, CancellationToken cancellationToken)
    {
        long from = destination.Position = destination.Length;
        if (from == file.Size)
        {
            return;
        }

        string escaped = string.Join('/', file.Path.Split('/').Select(Uri.EscapeDataString));
        using var response = await requests.GetAsync(requests.Address($"{reference.Repository}/resolve/{commit}/{escaped}"), from, cancellationToken);
        RequireSame(response, commit, file);
        if (from > 0 && response.Message.StatusCode != HttpStatusCode.PartialContent)
        {
            Restart(destination, hash, onReceived); // the server knows no ranges and sends all of it
        }

        using var idle = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var body = await response.Message.Content.ReadAsStreamAsync(cancellationToken);
        byte[] buffer = new byte[BufferBytes];
        while (true)
        {
            idle.CancelAfter(options.Patience);
            int count = await body.ReadAsync(buffer, idle.Token);
            if (count == 0)
            {
                break;
            }

            if (destination.Length + count > file.Size)
            {
                throw new HubException(HubFault.Damaged, $"{file.Path} is longer than the {file.Size} bytes that the hub says");
            }

            await destination.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            hash.Append(buffer.AsSpan(0, count));
            onReceived(count);
        }

        if (destination.Length < file.Size)
        {
            throw new IOException($"{file.Path} broke off after {destination.Length} of {file.Size} bytes");
        }
    }

    // The commit is fixed when files are listed, so a server that answers for another one, or with another content, is wrong.
    private static void RequireSame(HubResponse response, string commit, HubFile file)
    {
        string expected = file.Sha256 != "" ? file.Sha256 : file.GitSha1;
        if (response.Commit != "" && response.Commit != commit)
        {
            throw new HubException(HubFault.Damaged, $"the hub answered for commit {response.Commit}, and {commit} was asked for");
        }

        if (response.ETag.Length == expected.Length && response.ETag != expected)
        {
            throw new HubException(HubFault.Damaged, $"the hub says that {file.Path} is {response.ETag}, and its list says {expected}");
        }
    }

    private async Task<(JsonElement Json, string? Next)> GetJsonAsync(Uri address, CancellationToken cancellationToken)
    {
        (JsonElement, string?) result = default;
        await AttemptsAsync(async () =>
        {
            using var response = await requests.GetAsync(address, 0, cancellationToken);
            byte[] body = await response.Message.Content.ReadAsByteArrayAsync(cancellationToken);
            result = (JsonElement.Parse(body), NextPage(response.Message));
        }, cancellationToken);
        return result;
    }

    // Link: <address>; rel="next"
    private static string? NextPage(HttpResponseMessage response)
    {
        string? link = response.Headers.TryGetValues("Link", out var links)
            ? links.SelectMany(value => value.Split(',')).FirstOrDefault(value => value.Contains("rel=\"next\"", StringComparison.Ordinal))
            : null;
        return link?[(link.IndexOf('<', StringComparison.Ordinal) + 1)..link.IndexOf('>', StringComparison.Ordinal)];
    }

    private async Task AttemptsAsync(Func<Task> attempt, CancellationToken cancellationToken)
    {
        for (int failures = 1; ; failures++)
        {
            try
            {
                await attempt();
                return;
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested && IsTransient(exception))
            {
                if (failures >= options.Attempts)
                {
                    throw new HubException(HubFault.Unavailable, $"{options.Endpoint} does not answer as it should: {exception.Message}", exception);
                }

                await Task.Delay(options.FirstWait * Math.Pow(2, failures - 1), cancellationToken);
            }
            catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                throw new HubException(HubFault.Unavailable, $"{options.Endpoint} does not speak the protocol of the Hugging Face hub: {exception.Message}", exception);
            }
        }
    }

    private static bool IsTransient(Exception exception) => exception is HttpRequestException or IOException or OperationCanceledException;
}
