using System.Globalization;
using System.Text;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;

namespace Fleet.Registry.Catalog;

/// <summary>What is said about a version, field by field, under the names that UpdateMetadata and the audit log use.</summary>
internal static class MetadataFields
{
    private const string MetricPrefix = "metrics/";

    // Longer texts are in the log as digests.
    private const int MostCharactersInLog = 200;

    /// <summary>The known text and metadata with the named fields taken from the given ones.</summary>
    public static (string Description, VersionMetadata Metadata) Replace(
        (string Description, VersionMetadata Metadata) known, IEnumerable<string> fields, string description, VersionMetadata metadata)
    {
        var result = known.Metadata.Clone();
        foreach (string field in fields)
        {
            switch (field)
            {
                case "description":
                    known.Description = description;
                    break;
                case "license":
                    result.License = metadata.License;
                    break;
                case "base_version":
                    result.BaseVersion = metadata.BaseVersion;
                    break;
                case "training_run":
                    result.TrainingRun = metadata.TrainingRun;
                    break;
                case "model_card":
                    result.ModelCard = metadata.ModelCard;
                    break;
                case "labels":
                    result.Labels.Clear();
                    result.Labels.Add(metadata.Labels);
                    break;
                case "metrics":
                    result.Metrics.Clear();
                    result.Metrics.Add(metadata.Metrics);
                    break;
                case var metric when metric.StartsWith(MetricPrefix, StringComparison.Ordinal):
                    ReplaceMetric(result, MetadataRules.MetricName(metric[MetricPrefix.Length..]), metadata);
                    break;
                default:
                    throw new InvalidRequestException("fields", field,
                        "give description, license, base_version, training_run, model_card, labels, metrics or metrics/NAME");
            }
        }

        return (known.Description, result);
    }

    /// <summary>The fields that hold something, as the audit log tells of them.</summary>
    public static IReadOnlyDictionary<string, string> Summary(string description, VersionMetadata metadata)
    {
        (string Name, string Value)[] texts =
        [
            ("description", description),
            ("license", metadata.License),
            ("base_version", metadata.BaseVersion),
            ("training_run", metadata.TrainingRun),
            ("model_card", metadata.ModelCard),
            ("labels", string.Join(' ', metadata.Labels)),
        ];
        var metrics = metadata.Metrics.Select(metric => (MetricPrefix + metric.Key, metric.Value.ToString("R", CultureInfo.InvariantCulture)));
        return texts.Concat(metrics).Where(field => field.Item2 != "").ToDictionary(field => field.Item1, field => Shorten(field.Item2));
    }

    /// <summary>The fields of <paramref name="after"/> that differ from <paramref name="before"/>; empty when they are gone.</summary>
    public static Dictionary<string, string> Changes(IReadOnlyDictionary<string, string> before, IReadOnlyDictionary<string, string> after) =>
        before.Keys.Union(after.Keys)
            .Where(name => before.GetValueOrDefault(name) != after.GetValueOrDefault(name))
            .ToDictionary(name => name, name => after.GetValueOrDefault(name, ""));

    private static void ReplaceMetric(VersionMetadata result, string name, VersionMetadata given)
    {
        _ = result.Metrics.Remove(name);
        if (given.Metrics.TryGetValue(name, out double value))
        {
            result.Metrics.Add(name, value);
        }
    }

    private static string Shorten(string text) => text.Length <= MostCharactersInLog ? text : Digest.Of(Encoding.UTF8.GetBytes(text)).Version;
}
