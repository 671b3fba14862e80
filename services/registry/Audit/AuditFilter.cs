using Dapper;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Audit;

/// <summary>Which entries a list shall hold, as a condition in SQL.</summary>
internal sealed record AuditFilter(string Where, DynamicParameters Parameters)
{
    public static AuditFilter Parse(ListEntriesRequest request)
    {
        var conditions = new List<string> { "1 = 1" };
        var parameters = new DynamicParameters();
        AddText("model", request.Model);
        AddText("subject", request.Subject);
        AddText("action", request.Action);
        AddMoment("since", "at >= @since", request.Since);
        AddMoment("until", "at < @until", request.Until);
        return new AuditFilter(string.Join(" AND ", conditions), parameters);

        void AddText(string column, string value)
        {
            if (value != "")
            {
                conditions.Add($"{column} = @{column}");
                parameters.Add(column, RequestRules.Prompt(column, value));
            }
        }

        void AddMoment(string field, string condition, Timestamp? moment)
        {
            if (moment is not null)
            {
                conditions.Add(condition);
                parameters.Add(field, Ceiling(field, moment));
            }
        }
    }

    /// <summary>The last whole Unix millisecond that is not after the moment.</summary>
    public static long Floor(string field, Timestamp moment)
    {
        try
        {
            return moment.ToDateTimeOffset().ToUnixTimeMilliseconds();
        }
        catch (InvalidOperationException)
        {
            throw new InvalidRequestException(field, moment, "give a time from year 1 to 9999, with 0 to 999,999,999 nanoseconds");
        }
    }

    private static long Ceiling(string field, Timestamp moment)
    {
        const int NanosecondsPerMillisecond = 1_000_000;
        return Floor(field, moment) + (moment.Nanos % NanosecondsPerMillisecond > 0 ? 1 : 0);
    }
}
