using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Fleet.Hosting;

namespace Fleet.Registry.Blobs.S3;

/// <summary>What failures of the store mean to the registry's callers.</summary>
internal static class S3Errors
{
    /// <summary>Runs a request; an outage or a refusal of the store becomes UNAVAILABLE. "Not found" stays as it is.</summary>
    public static async Task<T> MapAsync<T>(Func<Task<T>> request)
    {
        try
        {
            return await request();
        }
        catch (Exception exception) when (IsOutage(exception))
        {
            throw Unavailable(exception);
        }
    }

    public static UnavailableException Unavailable(Exception exception) => new($"The blob store cannot be used now: {exception.Message}", exception);

    public static bool IsNotFound(AmazonS3Exception exception) => exception.StatusCode == HttpStatusCode.NotFound && exception.ErrorCode != "NoSuchBucket";

    private static bool IsOutage(Exception exception) => exception switch
    {
        AmazonS3Exception refusal => !IsNotFound(refusal),
        AmazonServiceException or AmazonClientException or HttpRequestException or IOException or WebException => true,
        TaskCanceledException { InnerException: TimeoutException } => true,
        _ => false,
    };
}
