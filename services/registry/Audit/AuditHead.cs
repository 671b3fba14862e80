namespace Fleet.Registry.Audit;

/// <summary>The end of the log.</summary>
internal sealed class AuditHead
{
    public long Sequence { get; init; }

    public byte[] Hash { get; init; } = [];
}
