using Fleet.Cli.Terminal;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Cli.Models;

/// <summary>A version as it is shown.</summary>
internal static class VersionReport
{
    public static string Short(string digest) => digest[.."sha256:123456789012".Length];

    public static VersionEvent ToEvent(Version version)
    {
        var t = version.Traits;
        return new VersionEvent(
            version.Model, version.Digest, version.CreatedAt.ToDateTimeOffset(), version.Size, [.. version.Aliases], version.Description,
            new ModelTraits(
                t.Family, t.PredictionType, t.Scheduler, t.DefaultSize, t.LatentChannels, t.EmbeddingWidth, t.TextEncoderLayers,
                t.Parameters, t.Dtype));
    }

    public static void Write(Version version, Output output)
    {
        var t = version.Traits;
        output.Event(ToEvent(version));
        output.Result($"model       {version.Model}");
        output.Result($"version     {version.Digest}");
        output.Result($"aliases     {(version.Aliases.Count == 0 ? "none" : string.Join(' ', version.Aliases))}");
        output.Result($"published   {version.CreatedAt.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss} UTC");
        output.Result($"size        {Units.Bytes(version.Size)}");
        output.Result($"family      {t.Family}, {t.PredictionType} prediction, {t.Scheduler}");
        output.Result($"parameters  {Units.Count(t.Parameters)}, {t.Dtype}");
        output.Result($"pictures    {t.DefaultSize}x{t.DefaultSize} unless asked otherwise");
        if (version.Description.Length > 0)
        {
            output.Result($"about       {version.Description}");
        }
    }
}
