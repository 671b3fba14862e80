using System.Buffers;
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
internal sealed class Publisher(BlobStore blobs, BlobPins pins, VersionCatalog catalog)
{
    private const int ShownDigests = 10;
    private const int HashedAtATime = 256 * 1024;

    private static readonly string[] PickleExtensions = [".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"];

    /// <summary>Publishes what the push of this id has sent; the id may be empty.</summary>
    public async Task<(Version Version, bool Created)> PublishAsync(NewVersion given, string push, Actor actor, CancellationToken cancellationToken)
    {
        var version = given with { Manifest = ManifestForm.Canonical(given.Manifest) };
        string pin = $"publish {Guid.NewGuid():N}";
        await pins.PinAsync(pin, DigestsOf(version.Manifest), cancellationToken); // from here on no blob that is found goes away
        try
        {
            var traits = await JudgeAsync(version, cancellationToken);
            return await catalog.PublishAsync(version, traits, actor, cancellationToken, async transaction =>
            {
                await BlobPins.ReleaseAsync(transaction, pin);
                await BlobPins.DropAsync(transaction, BlobPins.HolderOfPush(push));
            });
        }
        catch
        {
            await pins.DropAsync(pin);
            throw;
        }
    }

    private static IEnumerable<Digest> DigestsOf(Manifest manifest) =>
        manifest.Files.SelectMany(file => file.Parts).Select(part => Digest.FromBytes(part.Sha256.Span));

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

    private async Task<VersionTraits> JudgeAsync(NewVersion version, CancellationToken cancellationToken)
    {
        var manifest = version.Manifest;
        if (await catalog.FindAsync(version.Model, ManifestForm.DigestOf(manifest), cancellationToken) is { } known)
        {
            return known.Traits;
        }

        RefusePickles(manifest);
        await RequireBlobsAsync(manifest, cancellationToken);
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount };
        await Parallel.ForEachAsync(
            manifest.Files.OrderByDescending(file => file.Size), options, async (file, token) => await RequireDigestAsync(file, token));
        return BundleInspector.Inspect(new BundleFiles(blobs, manifest));
    }

    private async Task RequireBlobsAsync(Manifest manifest, CancellationToken cancellationToken)
    {
        var places = manifest.Files.SelectMany(file => file.Parts.Select(part => (file.Path, part.Size, Digest: Digest.FromBytes(part.Sha256.Span)))).ToList();
        var sizes = await blobs.SizesOfAsync(places.ConvertAll(place => place.Digest), cancellationToken);
        var missing = new List<Digest>();
        foreach (var (place, size) in places.Zip(sizes))
        {
            if (size is null)
            {
                missing.Add(place.Digest);
            }
            else if (size != place.Size)
            {
                await blobs.VerifyAsync(place.Digest, onRead: null, cancellationToken); // throws when it is the blob that is wrong
                throw new InvalidRequestException($"manifest.files['{place.Path}'].parts.size", place.Size, $"blob {place.Digest} has {size} bytes");
            }
        }

        if (missing.Count > 0)
        {
            throw new PreconditionException(
                $"the registry lacks {missing.Count} blobs of this manifest; upload them first: {string.Join(", ", missing.Take(ShownDigests))}"
                + (missing.Count > ShownDigests ? ", …" : ""));
        }
    }

    private async Task RequireDigestAsync(ManifestFile file, CancellationToken cancellationToken)
    {
        if (file.Parts.Count == 1 && file.Parts[0].Sha256 == file.Sha256)
        {
            return; // the blob was verified when it came
        }

        var actual = await HashAsync(file, cancellationToken);
        if (actual == Digest.FromBytes(file.Sha256.Span))
        {
            return;
        }

        foreach (var part in file.Parts)
        {
            await blobs.VerifyAsync(Digest.FromBytes(part.Sha256.Span), onRead: null, cancellationToken); // throws when it is a blob that is wrong
        }

        throw new InvalidRequestException(
            $"manifest.files['{file.Path}'].sha256", Digest.FromBytes(file.Sha256.Span), $"its parts together have {actual}");
    }

    private async Task<Digest> HashAsync(ManifestFile file, CancellationToken cancellationToken)
    {
        await using var stream = new PartStream(blobs, file);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(HashedAtATime);
        try
        {
            for (int count; (count = await stream.ReadAsync(buffer, cancellationToken)) > 0;)
            {
                hash.AppendData(buffer, 0, count);
            }

            return Digest.Of(hash);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
