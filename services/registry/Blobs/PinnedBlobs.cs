using Fleet.Contracts.Registry;

namespace Fleet.Registry.Blobs;

/// <summary>The digests of a pin as the database holds them: 32 bytes each, one after the other.</summary>
internal static class PinnedBlobs
{
    public static byte[] Pack(IEnumerable<Digest> digests) => [.. digests.Distinct().SelectMany(digest => Convert.FromHexString(digest.Hex))];

    public static IEnumerable<Digest> Unpack(byte[] packed)
    {
        for (int at = 0; at < packed.Length; at += Digest.Bytes)
        {
            yield return Digest.FromBytes(packed.AsSpan(at, Digest.Bytes));
        }
    }
}
