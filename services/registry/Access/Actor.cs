namespace Fleet.Registry.Access;

/// <summary>Who does something, as the audit log names them, and what they may do. What the registry does by itself it may do.</summary>
internal sealed record Actor(string Name, Role Role = Role.Operator)
{
    /// <summary>Everybody, of a registry that asks for no tokens.</summary>
    public static readonly Actor Anonymous = new("anonymous");
}
