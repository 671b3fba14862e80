namespace Fleet.Registry.Audit;

/// <summary>Actions in the audit log that concern the catalog, with their subjects and details.</summary>
internal static class AuditActions
{
    /// <summary>Of a version; details: size.</summary>
    public const string PublishVersion = "version.publish";

    /// <summary>Of an alias; details: from (a version or "none"), to.</summary>
    public const string SetAlias = "alias.set";

    /// <summary>Of an alias; details: from.</summary>
    public const string DeleteAlias = "alias.delete";
}
