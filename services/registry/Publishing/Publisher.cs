using System.Security.Cryptography;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Blobs;
using Fleet.Registry.Catalog;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Registry.Publishing;

/// <summary>Turns a manifest into a version once everything that it promises was checked.</summary>
internal sealed class Publisher(BlobStore blobs, VersionCatalog catalog)
{
    private const int ShownDigests = 10;

    private static readonly string[] PickleExtensions = [".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"];

    public async Task<(Version Version, bool Created)> PublishAsync(NewVersion given, Actor actor, CancellationToken cancellationToken)
    {
        var version = given with { Manifest = ManifestForm.Canonical(given.Manifest) };
        if (await catalog.FindAsync(version.Model, ManifestForm.DigestOf(version.Manifest), cancellationToken) is { } known)
        {
            return await catalog.PublishAsync(version, known.Traits, actor, cancellationToken);
        }

        RefusePickles(version.Manifest);
        RequireBlobs(version.Manifest);
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount };
        await Parallel.ForEachAsync(version.Manifest.Files.OrderByDescending(file => file.Size), options, (file, _) =>
        {
            RequireDigest(file);
            return ValueTask.CompletedTask;
        });

        var traits = BundleInspector.Inspect(new BundleFiles(blobs, version.Manifest));
        return await catalog.PublishAsync(version, traits, actor, cancellationToken);
    }

    private static void RefusePickles(Manifest manifest)
    {
        var pickle = manifest.Files.FirstOrDefault(file => PickleExtensions.Contains(Path.GetExtension(file.Path).ToLowerInvariant()));
        if (pickle is not null)
        {
            throw new UnusableModelException(pickle.Path,
                "is a pickle, which executes code when it is read; convert it with safetensors.torch.save_file, or with diffusers' "
                + "save_pretrained(folder, safe_serialization=True), on a machine that you trust");
        }
    }

    private void RequireBlobs(Manifest manifest)
    {
        var missing = new List<Digest>();
        foreach (var file in manifest.Files)
        {
            foreach (var part in file.Parts)
            {
                var digest = Digest.FromBytes(part.Sha256.Span);
                long? size = blobs.SizeOf(digest);
                if (size is not null && size != part.Size)
                {
                    blobs.Verify(digest); // throws when it is the blob that is wrong
                    throw new InvalidRequestException($"manifest.files['{file.Path}'].parts.size", part.Size, $"blob {digest} has {size} bytes");
                }

                if (size is null)
                {
                    missing.Add(digest);
                }
            }
        }

        if (missing.Count > 0)
        {
            throw new PreconditionException(
                $"the registry lacks {missing.Count} blobs of this manifest; upload them first: {string.Join(", ", missing.Take(ShownDigests))}"
                + (missing.Count > ShownDigests ? ", …" : ""));
        }
    }

    private void RequireDigest(ManifestFile file)
    {
        var digest = Digest.FromBytes(file.Sha256.Span);
        if (file.Parts.Count == 1 && file.Parts[0].Sha256 == file.Sha256)
        {
            return; // the blob was verified when it came
        }

        using var stream = new PartStream(blobs, file);
        var actual = Digest.FromBytes(SHA256.HashData(stream));
        if (actual == digest)
        {
            return;
        }

        foreach (var part in file.Parts)
        {
            blobs.Verify(Digest.FromBytes(part.Sha256.Span)); // throws when it is a blob that is wrong
        }

        throw new InvalidRequestException($"manifest.files['{file.Path}'].sha256", digest.Hex, $"its parts together have {actual}");
    }
}
