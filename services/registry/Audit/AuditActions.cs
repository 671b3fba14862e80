namespace Fleet.Registry.Audit;

/// <summary>Actions in the audit log that concern the catalog, with their subjects and details.</summary>
internal static class AuditActions
{
    /// <summary>Of a version; details: size, and what is said about it as <see cref="Catalog.MetadataFields.Summary"/> tells it.</summary>
    public const string PublishVersion = "version.publish";

    /// <summary>Of a version; details: the fields that changed, and the new revision.</summary>
    public const string UpdateMetadata = "version.metadata";

    /// <summary>Of a version; details: reason, empty when the mark was taken away.</summary>
    public const string DeprecateVersion = "version.deprecate";

    /// <summary>Of a version.</summary>
    public const string DeleteVersion = "version.delete";

    /// <summary>Of an alias; details: from (a version or "none"), to.</summary>
    public const string SetAlias = "alias.set";

    /// <summary>Of an alias.</summary>
    public const string ProtectAlias = "alias.protect";

    /// <summary>Of an alias.</summary>
    public const string UnprotectAlias = "alias.unprotect";

    /// <summary>Of an alias; details: from.</summary>
    public const string DeleteAlias = "alias.delete";

    /// <summary>Of a namespace; details: bytes, 0 for no limit.</summary>
    public const string SetQuota = "quota.set";

    /// <summary>Of the store; details: blobs, bytes.</summary>
    public const string CollectBlobs = "blobs.collect";

    /// <summary>Detail: bytes of all files of a version.</summary>
    public const string Size = "size";

    /// <summary>Detail: the revision that a change of metadata made.</summary>
    public const string Revision = "revision";
}
