using System.Text.Json;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Storage;
using Google.Protobuf;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Catalog;

/// <summary>A version as the database holds it.</summary>
internal sealed record VersionRow
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

    /// <summary>Writes what may change, and the columns that follow from others.</summary>
    public const string Update =
        """
        UPDATE versions SET description = @Description, license = @License, base_version = @BaseVersion, training_run = @TrainingRun,
               model_card = @ModelCard, labels = @Labels, metrics = @Metrics, deprecated = @Deprecated, revision = @Revision,
               namespace = @Namespace, family = @Family, dtype = @DType, kind = @Kind, search = @Search
        WHERE id = @Id
        """;

    public long Id { get; init; }

    public string Model { get; init; } = "";

    public string Digest { get; init; } = "";

    public long CreatedAt { get; init; }

    public long Size { get; init; }

    public byte[] Traits { get; init; } = [];

    public string Description { get; init; } = "";

    public string License { get; init; } = "";

    /// <summary>Hexadecimal digits, or nothing.</summary>
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
    public string Search => string.Join('\n', [Model, Description, ModelCard, License, TrainingRun, .. Metadata.Labels]).ToLowerInvariant();

    public VersionMetadata Metadata => new()
    {
        License = License,
        BaseVersion = BaseVersion == "" ? "" : Contracts.Registry.Digest.VersionPrefix + BaseVersion,
        TrainingRun = TrainingRun,
        ModelCard = ModelCard,
        Labels = { JsonSerializer.Deserialize<string[]>(Labels) },
        Metrics = { JsonSerializer.Deserialize<SortedDictionary<string, double>>(Metrics) },
    };

    /// <summary>Bytes of a message with this version, roughly and at most.</summary>
    public int MessageBytes => 4096 + (3 * (Description.Length + ModelCard.Length + License.Length + TrainingRun.Length + Labels.Length + Metrics.Length));

    private VersionTraits ParsedTraits => VersionTraits.Parser.ParseFrom(Traits);

    /// <summary>The first part of a model's name.</summary>
    public static string NamespaceOf(string model) => model.Split('/', 2)[0];

    public static VersionRow Of(NewVersion version, Digest digest, VersionTraits traits, long createdAt) => new VersionRow
    {
        Model = version.Model,
        Digest = digest.Hex,
        CreatedAt = createdAt,
        Size = version.Manifest.Files.Sum(file => file.Size),
        Traits = traits.ToByteArray(),
    }.Saying(version.Description, version.Metadata);

    /// <summary>The same version with other things said about it.</summary>
    public VersionRow Saying(string description, VersionMetadata metadata) => this with
    {
        Description = description,
        License = metadata.License,
        BaseVersion = metadata.BaseVersion == "" ? "" : metadata.BaseVersion[Contracts.Registry.Digest.VersionPrefix.Length..],
        TrainingRun = metadata.TrainingRun,
        ModelCard = metadata.ModelCard,
        Labels = JsonSerializer.Serialize(metadata.Labels),
        Metrics = JsonSerializer.Serialize(metadata.Metrics),
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
        Metadata = Metadata,
        Deprecated = Deprecated,
        Revision = Revision,
        Signatures = (int)signatures,
    };
}
