using System.Security.Cryptography;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;

namespace Fleet.Contracts.Registry;

/// <summary>The form of an entry of the audit log that is hashed; see audit.proto.</summary>
public static class AuditForm
{
    /// <summary>What the first entry has for the hash of the one before it: 32 zero bytes.</summary>
    public static readonly ByteString NoHash = ByteString.CopyFrom(new byte[SHA256.HashSizeInBytes]);

    /// <summary>The hash that an entry must have, computed from its other fields.</summary>
    public static ByteString HashOf(AuditEntry entry)
    {
        var canonical = new AuditEntry(entry) { Hash = ByteString.Empty };
        canonical.Details.Clear();
        foreach (var (name, value) in entry.Details.OrderBy(detail => detail.Key, StringComparer.Ordinal))
        {
            canonical.Details.Add(name, value); // a map is written in the order in which it was filled
        }

        return ByteString.CopyFrom(SHA256.HashData([.. entry.PreviousHash.Span, .. canonical.ToByteArray()]));
    }
}
