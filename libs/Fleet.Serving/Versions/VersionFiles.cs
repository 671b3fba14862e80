using Fleet.Diffusion.Weights;

namespace Fleet.Serving.Versions;

/// <summary>The wanted files of a version on this machine, complete and verified. No process removes their parts before this is disposed.</summary>
public sealed class VersionFiles : IDisposable
{
    private readonly IDisposable use;

    internal VersionFiles(IDisposable use, IModelFiles files, long fetchedBytes)
    {
        this.use = use;
        Files = files;
        FetchedBytes = fetchedBytes;
    }

    /// <summary>The files.</summary>
    public IModelFiles Files { get; }

    /// <summary>Bytes that were not on this machine before.</summary>
    public long FetchedBytes { get; }

    /// <summary>Lets the parts be removed when room is needed.</summary>
    public void Dispose() => use.Dispose();
}
