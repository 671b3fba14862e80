using Amazon.Runtime;
using Amazon.S3;

namespace Fleet.Registry.Blobs.S3;

/// <summary>Opens the client of an S3-compatible store.</summary>
internal static class S3Connection
{
    private const int MaxRetries = 4;

    /// <summary>The client, and the bytes of the parts of a large object.</summary>
    public static (IAmazonS3 Client, long PartBytes) Open(S3Options options)
    {
        var config = new AmazonS3Config
        {
            AuthenticationRegion = options.Region,
            ForcePathStyle = options.ForcePathStyle,
            MaxErrorRetry = MaxRetries,
            Timeout = TimeSpan.FromMinutes(10), // of one request; a slow store may take that long for a part
        };
        if (options.Endpoint == "")
        {
            config.RegionEndpoint = Amazon.RegionEndpoint.GetBySystemName(options.Region);
        }
        else
        {
            config.ServiceURL = options.Endpoint;
        }

        var (access, secret) = options.Keys();
        var client = access == "" ? new AmazonS3Client(config) : new AmazonS3Client(new BasicAWSCredentials(access, secret), config);
        return (client, options.PartBytes);
    }
}
