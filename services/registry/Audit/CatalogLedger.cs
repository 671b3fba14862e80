using System.Globalization;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Catalog;

namespace Fleet.Registry.Audit;

/// <summary>The catalog as the audit log tells of it, entry by entry.</summary>
internal sealed class CatalogLedger
{
    private static readonly string[] NotMetadata = [AuditActions.Size, AuditActions.Revision];

    private readonly Dictionary<(string Model, string Digest), LoggedVersion> versions = [];
    private readonly Dictionary<(string Model, string Name), (string Version, bool Protected)> aliases = [];
    private readonly Dictionary<string, string> quotas = [];

    /// <summary>Takes in the next entry.</summary>
    public void Apply(AuditEntry entry)
    {
        var subject = (entry.Model, entry.Subject);
        switch (entry.Action)
        {
            case AuditActions.PublishVersion:
                versions[subject] = new LoggedVersion(entry.Details.GetValueOrDefault(AuditActions.Size, ""));
                versions[subject].Change(entry.Details);
                break;
            case AuditActions.UpdateMetadata when versions.TryGetValue(subject, out var version):
                version.Change(entry.Details);
                version.Revision = entry.Details.GetValueOrDefault(AuditActions.Revision, "");
                break;
            case AuditActions.DeprecateVersion when versions.TryGetValue(subject, out var version):
                version.Deprecated = entry.Details.GetValueOrDefault("reason", "");
                break;
            case AuditActions.DeleteVersion:
                versions.Remove(subject);
                break;
            case AuditActions.SetAlias:
                aliases[subject] = (entry.Details.GetValueOrDefault("to", ""), aliases.GetValueOrDefault(subject).Protected);
                break;
            case AuditActions.DeleteAlias:
                aliases.Remove(subject);
                break;
            case AuditActions.ProtectAlias or AuditActions.UnprotectAlias when aliases.TryGetValue(subject, out var alias):
                aliases[subject] = alias with { Protected = entry.Action == AuditActions.ProtectAlias };
                break;
            case AuditActions.SetQuota:
                quotas[entry.Subject] = entry.Details.GetValueOrDefault("bytes", "");
                break;
        }
    }

    /// <summary>How the tables differ from the log, in words.</summary>
    public IEnumerable<string> Compare(IEnumerable<VersionRow> versionRows, IEnumerable<AliasRow> aliasRows, IEnumerable<(string Namespace, long Bytes)> quotaRows) =>
        [.. CompareVersions(versionRows), .. CompareAliases(aliasRows), .. CompareQuotas(quotaRows)];

    private IEnumerable<string> CompareVersions(IEnumerable<VersionRow> rows)
    {
        var unseen = versions.Keys.ToHashSet();
        foreach (var row in rows)
        {
            string name = $"version {row.Version} of '{row.Model}'";
            if (!unseen.Remove((row.Model, row.Version)))
            {
                yield return $"{name} is in the catalog, and the log does not say that it was published";
                continue;
            }

            string? difference = versions[(row.Model, row.Version)].DifferenceTo(row);
            if (difference is not null)
            {
                yield return $"{name}: {difference} is not what the log says";
            }
        }

        foreach (var (model, digest) in unseen)
        {
            yield return $"version {digest} of '{model}' is not in the catalog, and the log does not say that it was deleted";
        }
    }

    private IEnumerable<string> CompareAliases(IEnumerable<AliasRow> rows)
    {
        var unseen = aliases.Keys.ToHashSet();
        foreach (var row in rows)
        {
            string name = $"alias '{row.Model}@{row.Name}'";
            var (version, isProtected) = aliases.GetValueOrDefault((row.Model, row.Name), (VersionCatalog.NoVersion, false));
            unseen.Remove((row.Model, row.Name));
            if (version != row.Version)
            {
                yield return $"{name} points at {row.Version}, and by the log at {version}";
            }
            else if (isProtected != (row.Protected != 0))
            {
                yield return $"{name} is {(isProtected ? "not protected, and by the log it is" : "protected, and by the log it is not")}";
            }
        }

        foreach (var (model, alias) in unseen)
        {
            yield return $"alias '{model}@{alias}' is not in the catalog, and by the log it points at {aliases[(model, alias)].Version}";
        }
    }

    private IEnumerable<string> CompareQuotas(IEnumerable<(string Namespace, long Bytes)> rows)
    {
        var actual = rows.ToDictionary(row => row.Namespace, row => row.Bytes.ToString(CultureInfo.InvariantCulture));
        return actual.Keys.Union(quotas.Keys)
            .Where(name => actual.GetValueOrDefault(name, "0") != quotas.GetValueOrDefault(name, "0"))
            .Select(name => $"the quota of namespace '{name}' is {actual.GetValueOrDefault(name, "0")} bytes, and by the log {quotas.GetValueOrDefault(name, "0")}");
    }

    private sealed class LoggedVersion(string size)
    {
        private readonly Dictionary<string, string> fields = [];

        public string Deprecated { get; set; } = "";

        public string Revision { get; set; } = "1";

        public void Change(IEnumerable<KeyValuePair<string, string>> details)
        {
            foreach (var (name, value) in details.Where(detail => !NotMetadata.Contains(detail.Key)))
            {
                fields[name] = value;
            }
        }

        public string? DifferenceTo(VersionRow row)
        {
            if (row.Size.ToString(CultureInfo.InvariantCulture) != size)
            {
                return "its size";
            }

            if (row.Deprecated != Deprecated)
            {
                return "whether it is deprecated";
            }

            if (row.Revision.ToString(CultureInfo.InvariantCulture) != Revision)
            {
                return "its revision";
            }

            var given = fields.Where(field => field.Value != "").ToDictionary();
            return MetadataFields.Changes(given, MetadataFields.Summary(row.Description, row.Metadata)).Keys.Order(StringComparer.Ordinal).FirstOrDefault();
        }
    }
}
