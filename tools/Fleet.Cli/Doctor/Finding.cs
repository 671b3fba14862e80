namespace Fleet.Cli.Doctor;

internal enum Health
{
    Ok,
    Warning,
    Fault,
}

/// <summary>What a check found. Only a fault keeps the fleet from working.</summary>
internal sealed record Finding(string Name, Health Health, string Detail, string? Remedy = null)
{
    public static Finding Ok(string name, string detail) => new(name, Health.Ok, detail);

    public static Finding Warning(string name, string detail, string remedy) => new(name, Health.Warning, detail, remedy);

    public static Finding Fault(string name, string detail, string remedy) => new(name, Health.Fault, detail, remedy);
}
