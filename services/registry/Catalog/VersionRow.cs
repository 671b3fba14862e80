using System.Text.Json;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Storage;
using Google.Protobuf;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Catalog;

/// <summary>A version as the database holds it.</summary>
internal sealed class VersionRow
{
    public const string Select =
        """
        SELECT id, model, digest, created_at AS CreatedAt, size, traits, description, license, base_version AS BaseVersion,
               training_run AS TrainingRun, model_card AS ModelCard, labels, metrics, deprecated, revision
        FROM versions
        """;

    public const string Insert =
        """
        INSERT INTO versions (model, digest, created_at, size, traits, description, license, base_version, training_run, model_card, labels, metrics,
                              namespace, family, dtype, kind, search)
        VALUES (@Model, @Digest, @CreatedAt, @Size, @Traits, @Description, @License, @BaseVersion, @TrainingRun, @ModelCard, @Labels, @Metrics,
                @Namespace, @Family, @DType, @Kind, @Search)
        ON CONFLICT (model, digest) DO NOTHING
        """;

    /// <summary>Writes the columns that follow from others anew.</summary>
    public const string UpdateDerived =
        "UPDATE versions SET namespace = @Namespace, family = @Family, dtype = @DType, kind = @Kind, search = @Search WHERE id = @Id";

    public long Id { get; init; }

    public string Model { get; init; } = "";

    public string Digest { get; init; } = "";

    public long CreatedAt { get; init; }

    public long Size { get; init; }

    public byte[] Traits { get; init; } = [];

    public string Description { get; init; } = "";

    public string License { get; init; } = "";

    public string BaseVersion { get; init; } = "";

    public string TrainingRun { get; init; } = "";

    public string ModelCard { get; init; } = "";

    /// <summary>JSON, an array of strings.</summary>
    public string Labels { get; init; } = "[]";

    /// <summary>JSON, an object of numbers.</summary>
    public string Metrics { get; init; } = "{}";

    public string Deprecated { get; init; } = "";

    public long Revision { get; init; }

    public string Version => Contracts.Registry.Digest.VersionPrefix + Digest;

    public string Namespace => NamespaceOf(Model);

    public string Family => ParsedTraits.Family;

    public string DType => ParsedTraits.Dtype;

    public string Kind => ParsedTraits.Kind == "" ? "pipeline" : ParsedTraits.Kind; // see registry.proto

    /// <summary>What a search looks through, in lower case; the databases do not agree on what that is beyond ASCII.</summary>
    public string Search => string.Join('\n', Model, Description, ModelCard, Labels, License, TrainingRun).ToLowerInvariant();

    private VersionTraits ParsedTraits => VersionTraits.Parser.ParseFrom(Traits);

    /// <summary>The first part of a model's name.</summary>
    public static string NamespaceOf(string model) => model.Split('/', 2)[0];

    public static VersionRow Of(NewVersion version, Digest digest, VersionTraits traits, long createdAt) => new()
    {
        Model = version.Model,
        Digest = digest.Hex,
        CreatedAt = createdAt,
        Size = version.Manifest.Files.Sum(file => file.Size),
        Traits = traits.ToByteArray(),
        Description = version.Description,
        License = version.Metadata.License,
        BaseVersion = version.Metadata.BaseVersion,
        TrainingRun = version.Metadata.TrainingRun,
        ModelCard = version.Metadata.ModelCard,
        Labels = JsonSerializer.Serialize(version.Metadata.Labels),
        Metrics = JsonSerializer.Serialize(version.Metadata.Metrics),
    };

    public V1.Version ToVersion(IEnumerable<string> aliases, long signatures) => new()
    {
        Model = Model,
        Digest = Version,
        CreatedAt = DatabaseTime.ToTimestamp(CreatedAt),
        Size = Size,
        Traits = ParsedTraits,
        Aliases = { aliases },
        Description = Description,
        Metadata = new VersionMetadata
        {
            License = License,
            BaseVersion = BaseVersion,
            TrainingRun = TrainingRun,
            ModelCard = ModelCard,
            Labels = { JsonSerializer.Deserialize<string[]>(Labels) },
            Metrics = { JsonSerializer.Deserialize<SortedDictionary<string, double>>(Metrics) },
        },
        Deprecated = Deprecated,
        Revision = Revision,
        Signatures = (int)signatures,
    };
}
