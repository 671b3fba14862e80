using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Storage;

/// <summary>Times as the database holds them: Unix milliseconds.</summary>
internal static class DatabaseTime
{
    public static long UnixMilliseconds(this TimeProvider time) => time.GetUtcNow().ToUnixTimeMilliseconds();

    public static Timestamp ToTimestamp(long milliseconds) => Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds));
}
