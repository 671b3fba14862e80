using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;

namespace Fleet.Stages.Tests;

public sealed class ServiceDefaultsTests(StageFleet fleet)
{
    [Theory]
    [InlineData("encoder")]
    [InlineData("denoiser")]
    [InlineData("decoder")]
    public async Task Stage_AskedForHealthAndReflection_Answers(string stage)
    {
        var cancellation = TestContext.Current.CancellationToken;
        var channel = ChannelOf(stage);

        var health = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest(), cancellationToken: cancellation);
        using var reflection = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: cancellation);
        await reflection.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" }, cancellation);
        await reflection.ResponseStream.MoveNext(cancellation);

        health.Status.Should().Be(HealthCheckResponse.Types.ServingStatus.Serving);
        reflection.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name)
            .Should().Contain($"fleet.{stage}.v1.{char.ToUpperInvariant(stage[0])}{stage[1..]}");
    }

    private GrpcChannel ChannelOf(string stage) => stage switch
    {
        "encoder" => fleet.Encoder,
        "denoiser" => fleet.Denoiser,
        _ => fleet.Decoder,
    };
}
