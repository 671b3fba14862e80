using System.Text.Encodings.Web;
using System.Text.Json;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Storage;
using Google.Protobuf;

namespace Fleet.Registry.Audit;

/// <summary>An entry of the log as the database holds it.</summary>
internal sealed class AuditRow
{
    public const string Insert =
        """
        INSERT INTO audit_log (sequence, at, actor, action, model, subject, details, previous_hash, hash)
        VALUES (@Sequence, @At, @Actor, @Action, @Model, @Subject, @Details, @PreviousHash, @Hash)
        """;

    public const string Select =
        "SELECT sequence, at, actor, action, model, subject, details, previous_hash AS PreviousHash, hash FROM audit_log ";

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public long Sequence { get; init; }

    public long At { get; init; }

    public string Actor { get; init; } = "";

    public string Action { get; init; } = "";

    public string Model { get; init; } = "";

    public string Subject { get; init; } = "";

    public string Details { get; init; } = "";

    public byte[] PreviousHash { get; init; } = [];

    public byte[] Hash { get; init; } = [];

    public static AuditRow Of(AuditEntry entry) => new()
    {
        Sequence = entry.Sequence,
        At = entry.At.ToDateTimeOffset().ToUnixTimeMilliseconds(),
        Actor = entry.Actor,
        Action = entry.Action,
        Model = entry.Model,
        Subject = entry.Subject,
        Details = JsonSerializer.Serialize(entry.Details.OrderBy(detail => detail.Key, StringComparer.Ordinal).ToDictionary(), Readable),
        PreviousHash = entry.PreviousHash.ToByteArray(),
        Hash = entry.Hash.ToByteArray(),
    };

    /// <summary>Throws <see cref="FormatException"/> when the row is not one that <see cref="Of"/> can make.</summary>
    public AuditEntry ToEntry()
    {
        try
        {
            return new AuditEntry
            {
                Sequence = Sequence,
                At = DatabaseTime.ToTimestamp(At),
                Actor = Actor,
                Action = Action,
                Model = Model,
                Subject = Subject,
                Details = { JsonSerializer.Deserialize<SortedDictionary<string, string>>(Details) },
                PreviousHash = ByteString.CopyFrom(PreviousHash),
                Hash = ByteString.CopyFrom(Hash),
            };
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            throw new FormatException($"entry {Sequence} of the audit log cannot be read: {exception.Message}", exception);
        }
    }
}
