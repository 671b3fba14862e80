using Fleet.Contracts.Encoder.V1;
using Fleet.Contracts.Registry.V1;
using Fleet.Stages.Tests.Encoder;
using Fleet.Testing;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Fleet.Stages.Tests;

public sealed class WarmupTests(StageFleet fleet)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task StartedRollout_HasItsVersionsReadyInEveryStageBeforeAnyRequest()
    {
        using var folder = new TemporaryFolder();
        string changed = Copies.Of("sd1", folder);
        Copies.Overwrite(Path.Combine(changed, "vae", "diffusion_pytorch_model.safetensors"), "decoder.conv_in.bias", BitConverter.GetBytes(0.25f));
        await fleet.PushAsync(Path.Combine(Repository.OwnGolden, "models", "sd1"), "warm", "stable");
        string canary = await fleet.PushAsync(changed, "warm");
        var rollouts = new Rollouts.RolloutsClient(fleet.Registry);
        var step = new RolloutStep { Percent = 5, MinTime = Duration.FromTimeSpan(TimeSpan.FromHours(1)) };

        var started = await rollouts.StartRolloutAsync(
            new StartRolloutRequest { Model = "warm", Canary = $"warm@{canary}", Plan = new RolloutPlan { Steps = { step } } }, cancellationToken: Cancellation);

        var replicas = await UntilReadyAsync(rollouts, started.Rollout.Id);
        replicas.Should().AllSatisfy(replica => (replica.AddedBytes + replica.SharedBytes).Should().BePositive());
        var request = new EncodeRequest { RequestId = "warm-1", Version = canary, Prompt = "a red boat" };
        var encoded = await EncodeCall.RunAsync(fleet.Encoder, request);
        (encoded.Responses[0].Accepted.Version, encoded.Done.Cold).Should().Be((canary, false));
        await rollouts.ControlRolloutAsync(
            new ControlRolloutRequest { Rollout = started.Rollout.Id, Action = RolloutAction.RollBack, Reason = "the test is over" }, cancellationToken: Cancellation);
    }

    private static async Task<IReadOnlyList<ReplicaReadiness>> UntilReadyAsync(Rollouts.RolloutsClient rollouts, string id)
    {
        using var watch = rollouts.WatchRollout(new WatchRolloutRequest { Rollout = id }, cancellationToken: Cancellation);
        await foreach (var response in watch.ResponseStream.ReadAllAsync(Cancellation))
        {
            var replicas = response.Rollout.Replicas;
            replicas.Should().NotContain(replica => replica.State == ReplicaState.Failed);
            if (replicas.Where(replica => replica.State == ReplicaState.Ready).Select(replica => replica.Stage).Distinct().Count() == 3)
            {
                return replicas;
            }
        }

        throw new InvalidOperationException("The watch ended before the stages were ready.");
    }
}
