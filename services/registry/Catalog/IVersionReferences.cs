using System.Data.Common;
using Fleet.Contracts.Registry;

namespace Fleet.Registry.Catalog;

/// <summary>What a feature keeps that refers to versions; a version that is referred to is not deleted.</summary>
internal interface IVersionReferences
{
    /// <summary>What refers to the version, in words, for example "rollout ro-…"; empty when nothing does. Read on the connection's transaction.</summary>
    Task<IReadOnlyList<string>> FindAsync(DbTransaction transaction, string model, Digest version, CancellationToken cancellation);
}
