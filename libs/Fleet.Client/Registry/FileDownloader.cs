using System.Security.Cryptography;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Registry;

/// <summary>Receives a file part by part, several at a time, and verifies each.</summary>
internal sealed class FileDownloader(V1.Registry.RegistryClient registry)
{
    private const int PartsAtATime = 8;
    private const int MaxDamagedArrivals = 3;

    private volatile bool reached;

    /// <summary>Fills <paramref name="destination"/> with the file's bytes. Parts that are there already and right are not fetched.</summary>
    public async Task DownloadAsync(
        ManifestFile file, SafeFileHandle destination, TransferCounter counter, CancellationToken cancellationToken)
    {
        long held = RandomAccess.GetLength(destination);
        var places = new List<(ManifestPart Part, long Offset)>();
        long offset = 0;
        foreach (var part in file.Parts)
        {
            places.Add((part, offset));
            offset += part.Size;
        }

        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = PartsAtATime };
        await Parallel.ForEachAsync(places, options, async (place, token) =>
        {
            var (part, at) = place;
            var digest = Digest.FromBytes(part.Sha256.Span);
            if (at + part.Size <= held && PartHashing.Hash(destination, at, part.Size, null, token) == digest)
            {
                counter.Add(part.Size);
                return;
            }

            await DownloadPartAsync(digest, part.Size, destination, at, counter, token);
        });

        if (held > file.Size)
        {
            RandomAccess.SetLength(destination, file.Size);
        }
    }

    private async Task DownloadPartAsync(
        Digest digest, long size, SafeFileHandle destination, long at, TransferCounter counter, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var retries = new Retries(reached, cancellationToken);
        long received = 0;
        for (int damagedArrivals = 0; damagedArrivals < MaxDamagedArrivals;)
        {
            try
            {
                var request = new DownloadBlobRequest { Sha256 = digest.ToByteString(), Offset = received };
                using var call = registry.DownloadBlob(request, cancellationToken: cancellationToken);
                await foreach (var response in call.ResponseStream.ReadAllAsync(cancellationToken))
                {
                    var data = response.Data.Span[..(int)Math.Min(response.Data.Length, size - received)];
                    hash.AppendData(data);
                    RandomAccess.Write(destination, data, at + received);
                    received += data.Length;
                    counter.Add(data.Length);
                    reached = true;
                    retries.Reset();
                }
            }
            catch (RpcException exception) when (retries.Allows(exception))
            {
                await retries.WaitAsync();
                continue;
            }

            if (received == size && Digest.Of(hash) == digest)
            {
                return;
            }

            damagedArrivals++;
            counter.Add(-received);
            received = 0;
            _ = hash.GetHashAndReset();
        }

        throw new InvalidDataException($"blob {digest} arrived damaged {MaxDamagedArrivals} times");
    }
}
