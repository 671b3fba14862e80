using Fleet.Contracts.Registry;
using Fleet.Hosting;
using Google.Protobuf;

namespace Fleet.Registry.Blobs;

/// <summary>Checks of the fields that requests about blobs share.</summary>
internal static class BlobRules
{
    private const int MaxPushIdLength = 100;

    public static Digest Digest(string field, ByteString sha256) => sha256.Length == Contracts.Registry.Digest.Bytes
        ? Contracts.Registry.Digest.FromBytes(sha256.Span)
        : throw new InvalidRequestException(field, $"{sha256.Length} bytes", "give the 32 bytes of a SHA-256 digest");

    public static void PushId(string field, string value)
    {
        if (value.Length > MaxPushIdLength)
        {
            throw new InvalidRequestException(field, value, $"give at most {MaxPushIdLength} characters");
        }
    }

    public static void Range(string field, long value, long minimum, long maximum)
    {
        if (value < minimum || value > maximum)
        {
            throw new InvalidRequestException(field, value, $"give {minimum} to {maximum}");
        }
    }
}
