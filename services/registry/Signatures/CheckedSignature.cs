using System.Security.Cryptography;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Storage;
using Google.Protobuf;

namespace Fleet.Registry.Signatures;

/// <summary>A bundle that speaks of a version's files, and the trusted key that made it; empty when none did.</summary>
internal sealed record CheckedSignature(byte[] Bundle, string KeyHint, string TrustedKey, long AddedAt = 0)
{
    public string Sha256 => Convert.ToHexStringLower(SHA256.HashData(Bundle));

    public Signature ToMessage() => new()
    {
        Bundle = UnsafeByteOperations.UnsafeWrap(Bundle),
        AddedAt = DatabaseTime.ToTimestamp(AddedAt),
        TrustedKey = TrustedKey,
    };
}
