using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Catalog;

/// <summary>The table of the distinct blobs of each manifest: what quotas count, and what garbage is not.</summary>
internal static class ManifestBlobs
{
    // Well below the number of parameters that a statement may have: 32,766 in SQLite, 65,535 in PostgreSQL.
    private const int RowsPerStatement = 500;

    /// <summary>The distinct blobs of a manifest and their bytes.</summary>
    public static IReadOnlyDictionary<string, long> Of(Manifest manifest)
    {
        var blobs = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var part in manifest.Files.SelectMany(file => file.Parts))
        {
            blobs[Digest.FromBytes(part.Sha256.Span).Hex] = part.Size;
        }

        return blobs;
    }

    public static async Task InsertAsync(DbTransaction transaction, Digest digest, Manifest manifest)
    {
        foreach (var rows in Of(manifest).Chunk(RowsPerStatement))
        {
            var parameters = new DynamicParameters(new { Manifest = digest.Hex });
            for (int i = 0; i < rows.Length; i++)
            {
                parameters.Add($"b{i}", rows[i].Key);
                parameters.Add($"s{i}", rows[i].Value);
            }

            string values = string.Join(", ", Enumerable.Range(0, rows.Length).Select(i => $"(@Manifest, @b{i}, @s{i})"));
            await transaction.Connection!.ExecuteAsync($"INSERT INTO manifest_blobs (manifest, blob, size) VALUES {values}", parameters, transaction);
        }
    }
}
