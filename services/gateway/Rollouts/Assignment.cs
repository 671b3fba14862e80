using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Gateway.Rollouts;

/// <summary>The split of requests that traffic.proto defines: the same on every gateway, and raising a percentage takes nobody out.</summary>
internal static class Assignment
{
    /// <summary>Whether the canary answers the requests of a key.</summary>
    public static bool IsCanary(ModelTraffic traffic, string stickyKey) => Bucket($"{traffic.Rollout}:{stickyKey}") < traffic.Percent;

    /// <summary>Whether a request is run again on the other version. By its id, so that the requests of one sticky key are drawn one by one.</summary>
    public static bool IsShadowed(ModelTraffic traffic, string requestId) => Bucket($"shadow:{traffic.Rollout}:{requestId}") < traffic.ShadowPercent;

    /// <summary>From 0 up to, but not including, 100.</summary>
    internal static double Bucket(string key)
    {
        ulong head = BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        return (head >> 11) * (100.0 / (1L << 53)); // the 53 bits that a double holds: the largest hash stays below 100
    }
}
