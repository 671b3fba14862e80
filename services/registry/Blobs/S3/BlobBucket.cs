using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;
using Fleet.Contracts.Registry;
using Fleet.Hosting;

namespace Fleet.Registry.Blobs.S3;

/// <summary>Blobs as objects of a bucket of an S3-compatible store, under a prefix. An object appears when all of it was received.</summary>
internal sealed class BlobBucket : IBlobStorage, IDisposable
{
    private const int PartsAtATime = 4;
    private const int MaxParts = 10_000;

    // CopyObject takes no more.
    private const long MaxCopyBytes = 5L << 30;

    private readonly IAmazonS3 client;
    private readonly long partBytes;
    private readonly string bucket;
    private readonly string prefix;

    /// <param name="connection">The client, and the bytes of the parts of a large object.</param>
    /// <param name="address">s3://bucket/prefix.</param>
    public BlobBucket((IAmazonS3 Client, long PartBytes) connection, string address)
    {
        (client, partBytes) = connection;
        var uri = new Uri(address);
        bucket = uri.Host;
        prefix = uri.AbsolutePath.Trim('/') is { Length: > 0 } path ? path + "/" : "";
    }

    public async ValueTask<long?> SizeOfAsync(Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            return (await S3Errors.MapAsync(() => client.GetObjectMetadataAsync(bucket, KeyOf(digest), cancellationToken))).ContentLength;
        }
        catch (AmazonS3Exception exception) when (S3Errors.IsNotFound(exception))
        {
            return null;
        }
    }

    public async Task StoreAsync(Digest digest, UploadFile file, CancellationToken cancellationToken)
    {
        long size = RandomAccess.GetLength(file.Handle);
        _ = size <= partBytes
            ? await S3Errors.MapAsync<object>(async () => await PutAsync(digest, file, size, cancellationToken))
            : await S3Errors.MapAsync<object>(async () => await PutPartsAsync(digest, file, size, cancellationToken));
        file.Delete();
    }

    public async Task<Stream> OpenReadAsync(Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            string key = KeyOf(digest);
            return new ObjectStream(client, bucket, key, await S3Errors.MapAsync(() => client.GetObjectAsync(bucket, key, cancellationToken)));
        }
        catch (AmazonS3Exception exception) when (S3Errors.IsNotFound(exception))
        {
            throw new NotFoundException($"the registry has no blob {digest}");
        }
    }

    public async Task SetAsideAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (await SizeOfAsync(digest, cancellationToken) is <= MaxCopyBytes)
        {
            _ = await S3Errors.MapAsync(() => client.CopyObjectAsync(bucket, KeyOf(digest), bucket, $"{prefix}damaged/{digest.Hex}", cancellationToken));
        }

        await DeleteAsync(digest, cancellationToken);
    }

    public async Task DeleteAsync(Digest digest, CancellationToken cancellationToken) =>
        _ = await S3Errors.MapAsync(() => client.DeleteObjectAsync(bucket, KeyOf(digest), cancellationToken));

    public async IAsyncEnumerable<StoredBlob> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new ListObjectsV2Request { BucketName = bucket, Prefix = $"{prefix}blobs/" };
        do
        {
            var page = await S3Errors.MapAsync(() => client.ListObjectsV2Async(request, cancellationToken));
            foreach (var found in page.S3Objects)
            {
                if (Digest.TryParseHex(found.Key[(found.Key.LastIndexOf('/') + 1)..], out var digest))
                {
                    yield return new StoredBlob(digest, found.Size);
                }
            }

            request.ContinuationToken = page.IsTruncated ? page.NextContinuationToken : null;
        }
        while (request.ContinuationToken is not null);
    }

    public async Task CheckAsync(CancellationToken cancellationToken) =>
        _ = await S3Errors.MapAsync(() => client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket, MaxKeys = 1 }, cancellationToken));

    public void Dispose() => client.Dispose();

    private Task<PutObjectResponse> PutAsync(Digest digest, UploadFile file, long size, CancellationToken cancellationToken) =>
        client.PutObjectAsync(new PutObjectRequest
        {
            BucketName = bucket,
            Key = KeyOf(digest),
            InputStream = new FileRange(file.Handle, 0, size),
            ChecksumSHA256 = Convert.ToBase64String(Convert.FromHexString(digest.Hex)), // the store refuses bytes that changed on the way
        }, cancellationToken);

    private async Task<CompleteMultipartUploadResponse> PutPartsAsync(Digest digest, UploadFile file, long size, CancellationToken cancellationToken)
    {
        string key = KeyOf(digest);
        string upload = (await client.InitiateMultipartUploadAsync(bucket, key, cancellationToken)).UploadId;
        try
        {
            long length = Math.Max(partBytes, (size + MaxParts - 1) / MaxParts);
            var parts = new PartETag[(size + length - 1) / length];
            var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = PartsAtATime };
            await Parallel.ForAsync(0, parts.Length, options, async (i, token) =>
            {
                long offset = i * length;
                var part = new UploadPartRequest
                {
                    BucketName = bucket,
                    Key = key,
                    UploadId = upload,
                    PartNumber = i + 1,
                    InputStream = new FileRange(file.Handle, offset, Math.Min(length, size - offset)),
                };
                parts[i] = new PartETag(i + 1, (await client.UploadPartAsync(part, token)).ETag);
            });
            return await client.CompleteMultipartUploadAsync(
                new CompleteMultipartUploadRequest { BucketName = bucket, Key = key, UploadId = upload, PartETags = [.. parts] }, cancellationToken);
        }
        catch
        {
            // Parts of an upload that is not completed take up space that no listing of objects shows.
            _ = await client.AbortMultipartUploadAsync(bucket, key, upload, CancellationToken.None);
            throw;
        }
    }

    private string KeyOf(Digest digest) => $"{prefix}blobs/{digest.Hex[..2]}/{digest.Hex}";
}
