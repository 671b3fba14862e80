using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Catalog;
using Fleet.Registry.Storage;
using Google.Protobuf;

namespace Fleet.Registry.Audit;

/// <summary>Finds what was changed in the audit log, or in the catalog behind its back.</summary>
internal sealed class LogVerifier(RegistryDatabase database)
{
    private const int MaxFaults = 100;

    /// <summary>Reads all of the log. <paramref name="known"/> is what an earlier answer gave as entries and head, if there was one.</summary>
    public Task<VerifyLogResponse> VerifyAsync((long Entries, ByteString Head) known, CancellationToken cancellation) =>
        database.ReadMomentAsync(transaction => VerifyAsync(transaction, known, cancellation), cancellation);

    private static async Task<VerifyLogResponse> VerifyAsync(DbTransaction transaction, (long Entries, ByteString Head) known, CancellationToken cancellation)
    {
        var connection = transaction.Connection!;
        var ledger = new CatalogLedger();
        var faults = new List<string>();
        long count = 0;
        var last = new AuditEntry { Hash = AuditForm.NoHash };
        await foreach (var row in connection.QueryUnbufferedAsync<AuditRow>($"{AuditRow.Select} ORDER BY sequence", transaction: transaction)
            .WithCancellation(cancellation))
        {
            count++;
            try
            {
                var entry = row.ToEntry();
                faults.AddRange(Follow(last, entry));
                ledger.Apply(entry);
                last = entry;
                if (entry.Sequence == known.Entries && entry.Hash != known.Head)
                {
                    faults.Add($"entry {entry.Sequence} is not the one that was the head before: the log was rewritten");
                }
            }
            catch (FormatException exception)
            {
                faults.Add(exception.Message);
            }
        }

        var head = await connection.QueryFirstOrDefaultAsync<AuditHead>("SELECT sequence, hash FROM audit_head", transaction: transaction);
        if ((head?.Sequence ?? 0) != last.Sequence || !last.Hash.Span.SequenceEqual(head?.Hash ?? AuditForm.NoHash.Span))
        {
            faults.Add($"the log ends with entry {last.Sequence}, and it should end with entry {head?.Sequence ?? 0}");
        }

        if (known.Entries > last.Sequence)
        {
            faults.Add($"the log ends with entry {last.Sequence}, and it had {known.Entries} before");
        }

        faults.AddRange(ledger.Compare(
            await connection.QueryAsync<VersionRow>($"{VersionRow.Select} ORDER BY id", transaction: transaction),
            await connection.QueryAsync<AliasRow>(AliasRow.Select, transaction: transaction),
            await connection.QueryAsync<(string, long)>("SELECT namespace, bytes FROM quotas", transaction: transaction)));
        return new VerifyLogResponse { Entries = count, Head = last.Hash, Faults = { faults.Take(MaxFaults) } };
    }

    private static IEnumerable<string> Follow(AuditEntry last, AuditEntry entry)
    {
        if (entry.Sequence != last.Sequence + 1)
        {
            yield return $"entry {entry.Sequence} follows entry {last.Sequence}: {entry.Sequence - last.Sequence - 1} entries are missing";
        }
        else if (entry.PreviousHash != last.Hash)
        {
            yield return $"entry {entry.Sequence} does not continue entry {last.Sequence}: its previous_hash is another";
        }

        if (AuditForm.HashOf(entry) != entry.Hash)
        {
            yield return $"entry {entry.Sequence} was changed: its hash is not that of its fields";
        }
    }
}
