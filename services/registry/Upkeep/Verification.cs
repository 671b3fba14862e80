using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Blobs;

namespace Fleet.Registry.Upkeep;

/// <summary>A verification under way: what it has found so far.</summary>
internal sealed class Verification
{
    private readonly Lock gate = new();
    private readonly VerifyBlobsResponse progress = new();

    public Verification(IReadOnlyList<StoredBlob> blobs, Func<Verification, Task> run)
    {
        Blobs = blobs;
        progress.TotalBlobs = blobs.Count;
        progress.TotalBytes = blobs.Sum(blob => blob.Size);
        Completion = Task.Run(() => run(this));
    }

    public IReadOnlyList<StoredBlob> Blobs { get; }

    /// <summary>Done when all blobs were read; fails when storage or database cannot be reached.</summary>
    public Task Completion { get; }

    public void AddBytes(int count)
    {
        lock (gate)
        {
            progress.Bytes += count;
        }
    }

    public void AddBlob(Digest digest, BlobCondition condition)
    {
        lock (gate)
        {
            progress.Blobs++;
            if (condition is BlobCondition.Damaged)
            {
                progress.Damaged.Add(digest.ToByteString());
            }
            else if (condition is BlobCondition.Missing)
            {
                progress.Missing.Add(digest.ToByteString());
            }
        }
    }

    /// <summary>The counts so far, and what was found since the last call.</summary>
    public VerifyBlobsResponse Take(bool done)
    {
        lock (gate)
        {
            var taken = progress.Clone();
            taken.Done = done;
            progress.Damaged.Clear();
            progress.Missing.Clear();
            return taken;
        }
    }
}
