using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Google.Protobuf;

namespace Fleet.Contracts.Registry;

/// <summary>A SHA-256 digest; <see cref="Hex"/> is its 64 lower-case hexadecimal digits.</summary>
public readonly record struct Digest
{
    /// <summary>Bytes of a digest.</summary>
    public const int Bytes = SHA256.HashSizeInBytes;

    /// <summary>What stands before the digits in the name of a version.</summary>
    public const string VersionPrefix = "sha256:";

    private Digest(string hex) => Hex = hex;

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public string Hex { get; }

    /// <summary>The name of the version whose manifest has this digest: "sha256:" and the digits.</summary>
    public string Version => VersionPrefix + Hex;

    /// <summary>The digest of <paramref name="content"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> content)
    {
        Span<byte> digest = stackalloc byte[Bytes];
        SHA256.HashData(content, digest);
        return FromBytes(digest);
    }

    /// <summary>The digest of everything appended to <paramref name="hash"/>, which starts anew.</summary>
    public static Digest Of(IncrementalHash hash)
    {
        Span<byte> digest = stackalloc byte[Bytes];
        hash.GetHashAndReset(digest);
        return FromBytes(digest);
    }

    /// <summary>From 32 bytes. Throws <see cref="FormatException"/> for another length.</summary>
    public static Digest FromBytes(ReadOnlySpan<byte> bytes) => bytes.Length == Bytes
        ? new Digest(Convert.ToHexStringLower(bytes))
        : throw new FormatException($"a SHA-256 digest has {Bytes} bytes, not {bytes.Length}");

    /// <summary>From 64 hexadecimal digits of either case; false for anything else.</summary>
    public static bool TryParseHex(string hex, out Digest digest)
    {
        bool valid = hex.Length == 2 * Bytes && hex.All(char.IsAsciiHexDigit);
        digest = valid ? new Digest(hex.ToLowerInvariant()) : default;
        return valid;
    }

    /// <summary>From the name of a version, "sha256:" and 64 digits; false for anything else.</summary>
    public static bool TryParseVersion([NotNullWhen(true)] string? version, out Digest digest)
    {
        digest = default;
        return version is not null
            && version.StartsWith(VersionPrefix, StringComparison.Ordinal)
            && TryParseHex(version[VersionPrefix.Length..], out digest);
    }

    /// <summary>The 32 bytes, as messages carry them.</summary>
    public ByteString ToByteString() => UnsafeByteOperations.UnsafeWrap(Convert.FromHexString(Hex));

    /// <inheritdoc/>
    public override string ToString() => Hex;
}
