using Dapper;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;

namespace Fleet.Registry.Catalog;

/// <summary>Which versions a list shall hold, as a condition in SQL.</summary>
internal sealed record VersionFilter(string Where, DynamicParameters Parameters)
{
    private const int MaxSearchLength = 1000;

    public static VersionFilter Parse(ListVersionsRequest request)
    {
        if (request.Search.Length > MaxSearchLength)
        {
            throw new InvalidRequestException("search", request.Search, $"give at most {MaxSearchLength} characters");
        }

        var conditions = new List<string> { "1 = 1" };
        var parameters = new DynamicParameters();
        Equal("model", CatalogRules.OptionalModel("model", request.Model));
        Equal("family", request.Family);
        Equal("dtype", request.Dtype);
        Equal("license", request.License);
        Equal("kind", request.Kind);
        Equal("base_version", request.BaseVersion == "" ? "" : CatalogRules.Version("base_version", request.BaseVersion).Hex);
        if (request.Label != "")
        {
            Contains("labels", $"\"{request.Label}\"");
        }

        foreach (string word in request.Search.ToLowerInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            Contains("search", word);
        }

        if (request.WithoutDeprecated)
        {
            conditions.Add("deprecated = ''");
        }

        return new VersionFilter(string.Join(" AND ", conditions), parameters);

        void Equal(string column, string value)
        {
            if (value != "")
            {
                Add(column, $"{column} = @{column}", RequestRules.Prompt(column, value));
            }
        }

        void Contains(string column, string text) =>
            Add($"{column}{conditions.Count}", $"{column} LIKE @{column}{conditions.Count} ESCAPE '!'", $"%{Escape(RequestRules.Prompt(column, text))}%");

        void Add(string name, string condition, string value)
        {
            conditions.Add(condition);
            parameters.Add(name, value);
        }
    }

    private static string Escape(string text) => text
        .Replace("!", "!!", StringComparison.Ordinal)
        .Replace("%", "!%", StringComparison.Ordinal)
        .Replace("_", "!_", StringComparison.Ordinal);
}
