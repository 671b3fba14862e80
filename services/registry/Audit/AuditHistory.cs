using Dapper;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Catalog;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Audit;

/// <summary>Reads the audit log.</summary>
internal sealed class AuditHistory(RegistryDatabase database)
{
    private const int MaxPageBytes = FleetDefaults.MaxMessageBytes / 2;

    /// <summary>A page of entries, and after which sequence number the next one begins; 0 when there is none.</summary>
    public Task<(IReadOnlyList<AuditEntry> Entries, long Next)> ListAsync(
        AuditFilter filter, bool newestFirst, int pageSize, long after, CancellationToken cancellation) =>
        database.ReadAsync<(IReadOnlyList<AuditEntry>, long)>(async connection =>
        {
            filter.Parameters.Add("After", after);
            filter.Parameters.Add("Limit", pageSize + 1L);
            string order = newestFirst ? "sequence < @After) ORDER BY sequence DESC" : "sequence > @After) ORDER BY sequence";
            var page = new List<AuditEntry>();
            int bytes = 0;
            await foreach (var row in connection.QueryUnbufferedAsync<AuditRow>(
                $"{AuditRow.Select} WHERE {filter.Where} AND (@After = 0 OR {order} LIMIT @Limit", filter.Parameters).WithCancellation(cancellation))
            {
                var entry = row.ToEntry();
                bytes += entry.CalculateSize();
                if (page.Count == pageSize || (page.Count > 0 && bytes > MaxPageBytes))
                {
                    return (page, page[^1].Sequence);
                }

                page.Add(entry);
            }

            return (page, 0);
        }, cancellation);

    /// <summary>The entry that pointed an alias to where it pointed at a moment (Unix milliseconds); null means now.</summary>
    /// <remarks>
    /// A clock may have been wrong, so the times in the log need not rise; its order is what happened. The log is cut after the last entry that
    /// carries a time not after the moment, and the state there is the answer. An entry whose time lies ahead counts when a later one does
    /// not: it was written before that one, whatever its clock said.
    /// </remarks>
    public Task<AuditEntry> FindAliasAsync(string model, string alias, long? at, CancellationToken cancellation) => database.ReadAsync(async connection =>
    {
        long? end = at is null
            ? long.MaxValue
            : await connection.ExecuteScalarAsync<long?>("SELECT MAX(sequence) FROM audit_log WHERE at <= @At", new { At = at });
        var last = await connection.QueryFirstOrDefaultAsync<AuditRow>(
            $"""
            {AuditRow.Select}
            WHERE model = @Model AND subject = @Alias AND action IN ('{AuditActions.SetAlias}', '{AuditActions.DeleteAlias}') AND sequence <= @End
            ORDER BY sequence DESC LIMIT 1
            """,
            new { Model = model, Alias = alias, End = end ?? 0 });
        return last?.Action switch
        {
            AuditActions.SetAlias => last.ToEntry(),
            AuditActions.DeleteAlias => throw new NotFoundException($"alias '{model}@{alias}' was deleted before that, in entry {last.Sequence}"),
            _ => throw new NotFoundException($"alias '{model}@{alias}' pointed nowhere at that time: no entry of the log says otherwise"),
        };
    }, cancellation);
}
