using Grpc.Health.V1;

namespace Fleet.Registry.Tests;

public sealed class HealthTests : RegistryTest
{
    [Fact]
    public async Task Health_WithDatabaseAndFolder_IsServing() => (await CheckAsync()).Should().Be(HealthCheckResponse.Types.ServingStatus.Serving);

    [Fact]
    public async Task Health_WithoutAWritableFolder_IsNotServing()
    {
        Directory.Delete(Path.Combine(DataPath, "uploads"), recursive: true);

        (await CheckAsync()).Should().Be(HealthCheckResponse.Types.ServingStatus.NotServing);
    }

    private async Task<HealthCheckResponse.Types.ServingStatus> CheckAsync() =>
        (await new Health.HealthClient(Running.Channel).CheckAsync(new HealthCheckRequest(), cancellationToken: Cancellation)).Status;
}
