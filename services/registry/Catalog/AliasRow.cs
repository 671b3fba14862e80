using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Catalog;

/// <summary>An alias as the database holds it.</summary>
internal sealed class AliasRow
{
    public const string Select = "SELECT model, name, digest, updated_at AS UpdatedAt, protected FROM aliases ";

    public string Model { get; init; } = "";

    public string Name { get; init; } = "";

    public string Digest { get; init; } = "";

    public long UpdatedAt { get; init; }

    public long Protected { get; init; }

    public string Version => Contracts.Registry.Digest.VersionPrefix + Digest;

    public Alias ToAlias() => new()
    {
        Model = Model,
        Name = Name,
        Version = Version,
        UpdatedAt = DatabaseTime.ToTimestamp(UpdatedAt),
        Protected = Protected != 0,
    };
}
