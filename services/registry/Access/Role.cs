namespace Fleet.Registry.Access;

/// <summary>What a token may do; each role may do what those before it may.</summary>
internal enum Role
{
    /// <summary>Read, and take part in rollouts as a stage or a gateway.</summary>
    Reader,

    /// <summary>Publish versions, say things about them, move aliases that are not protected.</summary>
    Publisher,

    /// <summary>Everything.</summary>
    Operator,
}

/// <summary>Roles in words, as settings and messages spell them.</summary>
internal static class RoleNames
{
    public static readonly IReadOnlyDictionary<string, Role> ByName = new Dictionary<string, Role>(StringComparer.Ordinal)
    {
        ["reader"] = Role.Reader,
        ["publisher"] = Role.Publisher,
        ["operator"] = Role.Operator,
    };

    public static string Name(this Role role) => ByName.Single(known => known.Value == role).Key;
}
