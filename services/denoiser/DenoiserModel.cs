using Fleet.Contracts.Denoiser.V1;
using Fleet.Diffusion;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Sampling;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;
using Fleet.Serving;

namespace Fleet.Denoiser;

/// <summary>The scheduler of a job: the name that requests use, and its configuration.</summary>
internal sealed record ChosenScheduler(string Name, SchedulerConfig Config);

/// <summary>The part of a version that the denoiser needs: its network and its scheduler.</summary>
internal sealed class DenoiserModel : IStageModel<DenoiserModel>
{
    private readonly SchedulerConfig scheduler;

    private DenoiserModel(DenoisingNetwork network, SchedulerConfig scheduler)
    {
        Network = network;
        this.scheduler = scheduler;
    }

    public DenoisingNetwork Network { get; }

    public int NetworkChannels => Network.Unet.Config.InChannels;

    public int LatentChannels => Network.Unet.Config.OutChannels;

    public long EmbeddingWidth => Network.Unet.Config.CrossAttentionDim;

    /// <summary>Which files of a version are needed: what lies at the top (a single-file checkpoint, the index), the network, the scheduler.</summary>
    public static bool Wants(string path) =>
        !path.Contains('/') || path.StartsWith("unet/", StringComparison.Ordinal) || path.StartsWith("scheduler/", StringComparison.Ordinal);

    /// <summary>Loads from a checkpoint.</summary>
    /// <exception cref="CheckpointException">The weights or the scheduler's configuration are missing, damaged or do not fit.</exception>
    public static DenoiserModel Load(Checkpoint checkpoint, string version, ComputeDevice device)
    {
        var scheduler = ParseScheduler(checkpoint);
        var unet = UNet2DConditionModel.Load(checkpoint, device: device.Device, dtype: device.DType);
        return new DenoiserModel(new DenoisingNetwork(unet, device.Device, device.DType), scheduler);
    }

    public DenoiserModel For(string version) => this; // it says nothing about itself

    /// <summary>The scheduler that a request chooses: the version's own, another one made from the version's configuration, or a variation.</summary>
    /// <exception cref="InvalidRequestException">There is no such scheduler or variation.</exception>
    public ChosenScheduler Choose(SchedulerChoice? choice)
    {
        choice ??= new SchedulerChoice();
        try
        {
            var config = Schedulers.Choose(scheduler, choice.Name, choice.Sigmas, choice.TimestepSpacing, choice.HasEta ? choice.Eta : null);
            return new ChosenScheduler(Schedulers.Of(config).Name, config);
        }
        catch (SchedulerException e)
        {
            throw new InvalidRequestException("scheduler", choice.Name is "" ? "the version's own" : choice.Name, e.Message.TrimEnd('.'));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Network.Unet.Dispose();

    private static SchedulerConfig ParseScheduler(Checkpoint checkpoint)
    {
        try
        {
            return SchedulerConfig.Parse(checkpoint.Config("scheduler"));
        }
        catch (ArgumentException e)
        {
            throw new CheckpointException(e.Message, e);
        }
    }
}
