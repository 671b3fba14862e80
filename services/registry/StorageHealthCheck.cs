using Dapper;
using Fleet.Registry.Blobs;
using Fleet.Registry.Storage;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Fleet.Registry;

/// <summary>The registry serves while its database answers and blobs can be received and stored.</summary>
internal sealed class StorageHealthCheck(BlobStore blobs, RegistryDatabase database) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
    {
        try
        {
            _ = await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM aliases"), cancellationToken);
            await blobs.CheckWritableAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception exception)
        {
            return HealthCheckResult.Unhealthy(exception.Message, exception);
        }
    }
}
