using System.Reflection;

namespace Fleet.Registry.Storage;

/// <summary>The scripts of the folder Migrations, in order: script i brings schema i - 1 to schema i.</summary>
internal static class Migrations
{
    /// <summary>The first schema with an audit log; what an earlier one holds, <see cref="Catalog.CatalogUpgrade"/> completes.</summary>
    public const long History = 2;

    /// <summary>The scripts in the words of one database.</summary>
    public static IReadOnlyList<string> For(bool sqlite) =>
    [
        .. Read().Select(script => script
            .Replace("{bytes}", sqlite ? "BLOB" : "BYTEA", StringComparison.Ordinal)
            .Replace("{identity}", sqlite ? "INTEGER PRIMARY KEY AUTOINCREMENT" : "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", StringComparison.Ordinal)),
    ];

    private static IEnumerable<string> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (string name in assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            yield return reader.ReadToEnd();
        }
    }
}
