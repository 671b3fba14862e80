namespace Fleet.Registry.Access;

/// <summary>A token by its digest: the registry does not know what it is.</summary>
internal sealed class AccessToken
{
    /// <summary>What the audit log calls its owner.</summary>
    public string Name { get; set; } = "";

    /// <summary>SHA-256 of the token's UTF-8 bytes, 64 hexadecimal digits.</summary>
    public string Sha256 { get; set; } = "";

    /// <summary>"reader", "publisher" or "operator".</summary>
    public string Role { get; set; } = "";

    /// <summary>Namespaces whose models it may change. None: all. Everything may be read: blobs are shared by all namespaces.</summary>
    public IList<string> Namespaces { get; set; } = [];
}
