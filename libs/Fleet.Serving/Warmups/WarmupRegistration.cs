using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Serving.Versions;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Fleet.Serving.Warmups;

/// <summary>Registers what has a stage load the versions of running rollouts before they get traffic.</summary>
public static class WarmupRegistration
{
    /// <summary>Follows the warm-ups of a stage, whose models <see cref="SliceRegistration.AddResidentModels"/> registers.</summary>
    /// <param name="services">Where to register.</param>
    /// <param name="stage">"encoder", "denoiser" or "decoder".</param>
    public static IServiceCollection AddWarmups<TModel, TTrialRun>(this IServiceCollection services, string stage)
        where TModel : IStageModel<TModel>
        where TTrialRun : class, ITrialRun<TModel>
    {
        services.AddSingleton<ITrialRun<TModel>, TTrialRun>();
        services.AddSingleton(provider => new StageReplica(stage, provider.GetRequiredService<IOptions<SliceOptions>>().Value.ReplicaName));
        services.AddSingleton(provider => new RegistryLink(provider.GetRequiredService<IOptions<RegistryAddressOptions>>().Value));
        services.AddSingleton(provider => provider.GetRequiredService<RegistryLink>().Traffic);
        return services.AddHostedService<WarmupWatcher<TModel>>();
    }

    private sealed class RegistryLink : IDisposable
    {
        private readonly GrpcChannel channel;

        public RegistryLink(RegistryAddressOptions registry)
        {
            channel = StageChannel.Open(new Uri(registry.Address));
            string token = registry.ReadToken();
            Traffic = new Traffic.TrafficClient(channel.Intercept(headers =>
            {
                if (token != "")
                {
                    headers.Add("authorization", $"Bearer {token}");
                }

                return headers;
            }));
        }

        public Traffic.TrafficClient Traffic { get; }

        public void Dispose() => channel.Dispose();
    }
}
