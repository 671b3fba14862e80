using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Access;
using Fleet.Registry.Storage;
using Google.Protobuf;

namespace Fleet.Registry.Audit;

/// <summary>Writes the audit log: one chain of entries, each in the transaction that makes the change that it tells of.</summary>
internal sealed class AuditLog(TimeProvider time)
{
    /// <summary>Adds an entry at the end. There is one writer at a time, so the end stays the end until the transaction does.</summary>
    public async Task<AuditEntry> AppendAsync(
        DbTransaction transaction, Actor actor, string action, string model, string subject, IReadOnlyDictionary<string, string> details)
    {
        var connection = transaction.Connection!;
        var head = await connection.QuerySingleOrDefaultAsync<AuditHead>("SELECT sequence, hash FROM audit_head", transaction: transaction);
        var entry = new AuditEntry
        {
            Sequence = (head?.Sequence ?? 0) + 1,
            At = DatabaseTime.ToTimestamp(time.UnixMilliseconds()),
            Actor = actor.Name,
            Action = action,
            Model = model,
            Subject = subject,
            Details = { details.ToDictionary() },
            PreviousHash = head is null ? AuditForm.NoHash : ByteString.CopyFrom(head.Hash),
        };
        entry.Hash = AuditForm.HashOf(entry);

        await connection.ExecuteAsync(AuditRow.Insert, AuditRow.Of(entry), transaction);
        await connection.ExecuteAsync(
            head is null ? "INSERT INTO audit_head (sequence, hash) VALUES (@Sequence, @Hash)" : "UPDATE audit_head SET sequence = @Sequence, hash = @Hash",
            new AuditHead { Sequence = entry.Sequence, Hash = entry.Hash.ToByteArray() }, transaction);
        return entry;
    }
}
