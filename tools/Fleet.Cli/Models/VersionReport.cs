using System.Globalization;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Cli.Models;

/// <summary>A version as it is shown.</summary>
internal static class VersionReport
{
    private const string Lora = "lora";

    public static string Short(string digest) => digest[.."sha256:123456789012".Length];

    /// <summary>"pipeline" or the kind of adapter; versions from before there were adapters say nothing.</summary>
    public static string Kind(VersionTraits traits) => traits.Kind == "" ? "pipeline" : traits.Kind;

    public static VersionEvent ToEvent(Version version)
    {
        var t = version.Traits;
        var m = version.Metadata ?? new VersionMetadata();
        return new VersionEvent(
            version.Model, version.Digest, version.CreatedAt.ToDateTimeOffset(), version.Size, [.. version.Aliases], version.Description,
            new ModelTraits(
                t.Family, t.PredictionType, t.Scheduler, t.DefaultSize, t.LatentChannels, t.EmbeddingWidth, t.TextEncoderLayers,
                t.Parameters, t.Dtype, Kind(t), t.Rank == 0 ? null : t.Rank),
            new ModelMetadata(
                Given(m.License), Given(m.BaseVersion), Given(m.TrainingRun), Given(m.ModelCard), [.. m.Labels],
                new SortedDictionary<string, double>(m.Metrics, StringComparer.Ordinal)),
            Given(version.Deprecated), version.Revision, version.Signatures);
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
        if (Kind(t) == Lora)
        {
            output.Result($"adapter     LoRA of rank {t.Rank} for {t.Family}");
            output.Result($"parameters  {Units.Count(t.Parameters)}, {t.Dtype}");
        }
        else
        {
            output.Result($"family      {t.Family}, {t.PredictionType} prediction, {t.Scheduler}");
            output.Result($"parameters  {Units.Count(t.Parameters)}, {t.Dtype}");
            output.Result($"pictures    {t.DefaultSize}x{t.DefaultSize} unless asked otherwise");
        }

        foreach (var (name, value) in Said(version).Where(line => line.Value.Length > 0))
        {
            output.Result($"{name,-12}{value}");
        }
    }

    private static IEnumerable<(string Name, string Value)> Said(Version version)
    {
        var m = version.Metadata ?? new VersionMetadata();
        yield return ("deprecated", version.Deprecated);
        yield return ("about", version.Description);
        yield return ("license", m.License);
        yield return ("made from", m.BaseVersion);
        yield return ("trained by", m.TrainingRun);
        yield return ("labels", string.Join(' ', m.Labels));
        yield return ("metrics", string.Join(' ', m.Metrics.OrderBy(metric => metric.Key, StringComparer.Ordinal)
            .Select(metric => string.Create(CultureInfo.InvariantCulture, $"{metric.Key}={metric.Value}"))));
        yield return ("signatures", version.Signatures == 0 ? "" : $"{version.Signatures}");
    }

    private static string? Given(string text) => text == "" ? null : text;
}
