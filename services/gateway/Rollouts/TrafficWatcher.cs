using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Stages;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Rollouts;

/// <summary>
/// Follows the registry's traffic. While it cannot be reached, the last table goes on being used; a registry that knows no rollouts is
/// asked again now and then.
/// </summary>
internal sealed partial class TrafficWatcher(
    StageClients stages, GatewayName name, IOptions<RolloutOptions> options, TimeProvider time, ILogger<TrafficWatcher> logger) : BackgroundService
{
    private static readonly TimeSpan FirstRetryDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan UnimplementedDelay = TimeSpan.FromMinutes(1);

    private volatile TrafficTable table = TrafficTable.Empty;
    private int failures;

    /// <summary>Take it once per job.</summary>
    public TrafficTable Table => table;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await WatchAsync(stoppingToken);
                await Task.Delay(NextDelay(), time, stoppingToken);
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented)
            {
                table = TrafficTable.Empty;
                await Task.Delay(UnimplementedDelay, time, stoppingToken);
            }
            catch (RpcException e) when (!stoppingToken.IsCancellationRequested)
            {
                if (failures == 0)
                {
                    Log.RegistryDown(logger, e.Status.Detail);
                }

                await Task.Delay(NextDelay(), time, stoppingToken);
            }
            catch (RpcException)
            {
                return;
            }
        }
    }

    private async Task WatchAsync(CancellationToken stoppingToken)
    {
        using var silence = new CancellationTokenSource(options.Value.MaxSilence, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, stoppingToken);
        using var call = stages.Traffic.WatchTraffic(new WatchTrafficRequest { Gateway = name.Value }, cancellationToken: either.Token);
        await foreach (var response in call.ResponseStream.ReadAllAsync(CancellationToken.None))
        {
            silence.CancelAfter(options.Value.MaxSilence);
            table = new TrafficTable(response.Models);
            failures = 0;
        }
    }

    private TimeSpan NextDelay()
    {
        var doubled = FirstRetryDelay * Math.Pow(2, Math.Min(failures++, 20));
        return doubled < options.Value.MaxRetryDelay ? doubled : options.Value.MaxRetryDelay;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "The registry does not say how traffic is split; it stays as it is: {Reason}")]
        public static partial void RegistryDown(ILogger logger, string reason);
    }
}
