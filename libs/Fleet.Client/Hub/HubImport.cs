using Fleet.Client.Registry;

namespace Fleet.Client.Hub;

/// <summary>A model that was fetched from a hub.</summary>
/// <param name="Path">Folder or file, as a push takes it.</param>
/// <param name="Source">Where it is from, with the commit in place of the revision.</param>
/// <param name="Staging">Folder that holds what was fetched, and nothing else.</param>
public sealed record ImportedModel(string Path, HubReference Source, string Staging)
{
    /// <summary>Deletes what was fetched.</summary>
    public void Delete() => Directory.Delete(Staging, recursive: true);
}

/// <summary>Fetches what a push takes of a repository.</summary>
public sealed class HubImport(HubClient hub, HubOptions options)
{
    /// <summary>
    /// Fetches into a folder, which may hold what an earlier import of the same commit left there.
    /// </summary>
    /// <param name="reference">What to fetch.</param>
    /// <param name="staging">A folder for downloads; files go below it by repository and commit.</param>
    /// <param name="variant">Weights to prefer where a component has them, for example "fp16". Empty: the plain ones.</param>
    /// <param name="progress">Told of progress.</param>
    /// <param name="cancellationToken">Stops the import; what came is kept for the next one.</param>
    /// <exception cref="HubException">The hub does not give it, or there is nothing that can be imported.</exception>
    public async Task<ImportedModel> FetchAsync(
        HubReference reference,
        string staging,
        string variant = "",
        IProgress<TransferProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var listing = await hub.ListAsync(reference, cancellationToken);
        var source = reference with { Revision = listing.Commit };
        string folder = Path.Combine(staging, reference.Repository.Replace('/', '-'), $"{listing.Commit}{(variant == "" ? "" : "-")}{variant}");
        var files = HubSelection.Below(listing, reference);
        RequirePlainPaths(files);

        var taken = await ChooseAsync(files, reference, listing.Commit, folder, variant, cancellationToken);
        var counter = new TransferCounter(TransferStage.Downloading, taken.Sum(file => file.Size), progress);
        var parallel = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = options.FilesAtATime };
        await Parallel.ForEachAsync(taken, parallel, async (file, token) =>
        {
            string path = Place(folder, file, reference);
            if (File.Exists(path) && new FileInfo(path).Length == file.Size)
            {
                counter.Add(file.Size); // it was verified when it was given its name
                return;
            }

            await hub.DownloadAsync(reference, listing.Commit, file, path, counter.Add, token);
        });

        string whole = Path.Combine(folder, "files");
        return new ImportedModel(HubSelection.Index(files, reference) is null ? Place(folder, taken[0], reference) : whole, source, folder);
    }

    private async Task<IReadOnlyList<HubFile>> ChooseAsync(
        IReadOnlyList<HubFile> files, HubReference reference, string commit, string folder, string variant, CancellationToken cancellationToken)
    {
        if (HubSelection.Index(files, reference) is not { } index)
        {
            return [.. HubSelection.OfSingleFile(files, reference)];
        }

        string path = Place(folder, index, reference);
        if (!File.Exists(path))
        {
            await hub.DownloadAsync(reference, commit, index, path, _ => { }, cancellationToken);
        }

        return [.. HubSelection.OfPipeline(files, reference, ModelSource.Components(path), variant)];
    }

    private static string Place(string folder, HubFile file, HubReference reference) => Path.Combine(folder, "files", HubSelection.Within(file, reference));

    // The list comes from elsewhere: no path of it may lead out of the folder.
    private static void RequirePlainPaths(IReadOnlyList<HubFile> files)
    {
        var bad = files.FirstOrDefault(file => Path.IsPathRooted(file.Path) || file.Path.Contains('\\') || file.Path.Split('/').Any(part => part is "" or "." or ".."));
        if (bad is not null)
        {
            throw new HubException(HubFault.Damaged, $"the hub lists a file '{bad.Path}', which is no path within a repository");
        }
    }
}
