using Fleet.Hosting;
using Fleet.Registry.Catalog;

namespace Fleet.Registry.Access;

/// <summary>Who does something, as the audit log names them, and what they may do. What the registry does by itself it may do.</summary>
internal sealed record Actor(string Name, Role Role = Role.Operator)
{
    /// <summary>Everybody, of a registry that asks for no tokens.</summary>
    public static readonly Actor Anonymous = new("anonymous");

    /// <summary>Namespaces whose models they may change; none means all.</summary>
    public IReadOnlyCollection<string> Namespaces { get; init; } = [];

    /// <summary>Refuses a change to a model outside of their namespaces.</summary>
    public void RequireModel(string model)
    {
        if (Namespaces.Count > 0 && !Namespaces.Contains(VersionRow.NamespaceOf(model)))
        {
            throw new PermissionException($"'{Name}' may change models of {string.Join(", ", Namespaces)} only, not '{model}'");
        }
    }

    /// <summary>Refuses what concerns the whole registry to those who are limited to namespaces.</summary>
    public void RequireWholeRegistry()
    {
        if (Namespaces.Count > 0)
        {
            throw new PermissionException($"this concerns the whole registry, and '{Name}' may change models of {string.Join(", ", Namespaces)} only");
        }
    }
}
