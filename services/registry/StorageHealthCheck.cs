using Fleet.Registry.Blobs;
using Fleet.Registry.Catalog;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Fleet.Registry;

/// <summary>The registry serves while its database answers and its folder can be written to.</summary>
internal sealed class StorageHealthCheck(BlobStore blobs, VersionCatalog catalog) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
    {
        try
        {
            catalog.CheckReadable();
            blobs.CheckWritable();
            return Task.FromResult(HealthCheckResult.Healthy());
        }
        catch (Exception exception)
        {
            return Task.FromResult(HealthCheckResult.Unhealthy(exception.Message, exception));
        }
    }
}
