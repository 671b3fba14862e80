using System.Text;
using System.Text.RegularExpressions;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;

namespace Fleet.Registry.Catalog;

/// <summary>Checks of what is said about a version; the limits are those of registry.proto.</summary>
internal static partial class MetadataRules
{
    private const int MaxDescriptionBytes = 64 * 1024;
    private const int MaxCardBytes = 256 * 1024;
    private const int MaxLicenseBytes = 200;
    private const int MaxTrainingRunBytes = 500;
    private const int MaxReasonBytes = 1000;
    private const int MaxMetrics = 200;
    private const int MaxLabels = 50;

    public static string Description(string value) => Text("description", value, MaxDescriptionBytes);

    public static string DeprecationReason(string value) => Text("reason", value, MaxReasonBytes);

    /// <summary>A copy, each label once.</summary>
    public static VersionMetadata Metadata(VersionMetadata? given)
    {
        var metadata = given ?? new VersionMetadata();
        if (metadata.BaseVersion != "")
        {
            _ = CatalogRules.Version("metadata.base_version", metadata.BaseVersion);
        }

        Count("metadata.metrics", metadata.Metrics.Count, MaxMetrics);
        Count("metadata.labels", metadata.Labels.Count, MaxLabels);
        return new VersionMetadata
        {
            License = Text("metadata.license", metadata.License, MaxLicenseBytes),
            BaseVersion = metadata.BaseVersion,
            TrainingRun = Text("metadata.training_run", metadata.TrainingRun, MaxTrainingRunBytes),
            ModelCard = Text("metadata.model_card", metadata.ModelCard, MaxCardBytes),
            Metrics = { metadata.Metrics.ToDictionary(metric => MetricName(metric.Key), metric => Finite(metric.Key, metric.Value)) },
            Labels = { metadata.Labels.Select(Label).Distinct() },
        };
    }

    public static string MetricName(string name) => NameOfMetric().IsMatch(name)
        ? name
        : throw new InvalidRequestException("metadata.metrics", name, "give names of 1 to 100 characters of A-Z, a-z, 0-9, '.', '_', '/', '@' and '-'");

    private static string Label(string label) => NameOfLabel().IsMatch(label)
        ? label
        : throw new InvalidRequestException("metadata.labels", label, "give labels of 1 to 64 characters of a-z, 0-9, '.', '_' and '-'");

    private static double Finite(string name, double value) => double.IsFinite(value)
        ? value
        : throw new InvalidRequestException($"metadata.metrics['{name}']", value, "give a finite number");

    private static void Count(string field, int count, int most)
    {
        if (count > most)
        {
            throw new InvalidRequestException(field, count, $"give at most {most}");
        }
    }

    private static string Text(string field, string value, int maxBytes)
    {
        int bytes = Encoding.UTF8.GetByteCount(value);
        if (bytes > maxBytes)
        {
            throw new InvalidRequestException(field, $"{bytes} bytes", $"give at most {maxBytes} bytes");
        }

        // PostgreSQL stores no NUL.
        return value.Contains('\0', StringComparison.Ordinal) ? throw new InvalidRequestException(field, "text with U+0000", "give text without it") : value;
    }

    [GeneratedRegex(@"^[A-Za-z0-9._/@-]{1,100}\z")]
    private static partial Regex NameOfMetric();

    [GeneratedRegex(@"^[a-z0-9._-]{1,64}\z")]
    private static partial Regex NameOfLabel();
}
