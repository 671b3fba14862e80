using Fleet.Contracts;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Diffusion.Sampling;
using Fleet.Hosting;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Denoiser;

/// <summary>What rows must agree on to share a call of the network.</summary>
internal sealed record BatchKey(DenoisingNetwork Network, int LatentHeight, int LatentWidth, long Tokens);

/// <summary>A job as the engine runs it: its rows, one a picture, each with a generator of its own.</summary>
internal sealed class DenoisingWork : IDisposable
{
    private readonly List<NoiseGenerator> generators = [];
    private readonly List<Tensor> tensors = [];
    private readonly List<DenoisingRow> rows = [];
    private readonly Sampler sampler;
    private readonly int startCall;

    /// <summary>Brings a request and a version together.</summary>
    /// <exception cref="InvalidRequestException">The scheduler or its variations do not exist.</exception>
    /// <exception cref="PreconditionException">The tensors do not fit the version's network.</exception>
    public DenoisingWork(DenoiseJob job, DenoiserModel model)
    {
        var start = job.Start;
        Network = model.Network;
        PreviewInterval = start.PreviewInterval;
        Steps = start.Steps;
        Scheduler = model.Choose(start.Scheduler);
        sampler = Plan(start, Scheduler.Config);
        startCall = StartCall(start, sampler);

        CheckShapes(job, model);
        try
        {
            var task = new DenoisingTask
            {
                Sampler = sampler,
                Embeddings = Load(job, "embeddings"),
                NegativeEmbeddings = job.Guided ? Load(job, "negative_embeddings") : null,
                GuidanceScale = start.GuidanceScale,
                GuidanceRescale = start.GuidanceRescale,
                Shape = [1, model.LatentChannels, start.LatentHeight, start.LatentWidth],
                Init = start.Init is null ? null : new InitialPicture(Load(job, "init_mean"), Load(job, "init_std"), start.Init.Strength),
                Repaint = start.Inpaint ? new RepaintMask(Load(job, "mask"), Load(job, "masked_mean"), Load(job, "masked_std")) : null,
            };
            for (int i = 0; i < start.Count; i++)
            {
                var generator = new NoiseGenerator(start.Seed + i);
                generators.Add(generator);
                rows.Add(new DenoisingRow(task, model.NetworkChannels, () => generator.Draw([.. task.Shape])));
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        Key = new BatchKey(Network, start.LatentHeight, start.LatentWidth, job.Tensor("embeddings").Shape[1]);
    }

    public DenoisingNetwork Network { get; }

    public BatchKey Key { get; }

    public ChosenScheduler Scheduler { get; }

    public IReadOnlyList<DenoisingRow> Rows => rows;

    public int PreviewInterval { get; }

    /// <summary>Calls of the network that each picture takes.</summary>
    public int Calls => sampler.Timesteps.Count - startCall;

    /// <summary>Steps that will be run: fewer than asked for when an init image leaves some out.</summary>
    public int StepsToRun => StepAt(sampler.Timesteps.Count);

    /// <summary>Steps done. A scheduler may take several calls for one.</summary>
    public int StepsDone => StepAt(rows[0].Call);

    private int Steps { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        rows.ForEach(row => row.Dispose());
        generators.ForEach(generator => generator.Dispose());
        tensors.ForEach(tensor => tensor.Dispose());
    }

    private static Sampler Plan(DenoiseStart start, SchedulerConfig config)
    {
        try
        {
            return Sampler.Create(config, start.Steps);
        }
        catch (Exception e) when (e is SchedulerException or ArgumentOutOfRangeException)
        {
            throw new InvalidRequestException("steps", start.Steps, e.Message.TrimEnd('.'));
        }
    }

    private static int StartCall(DenoiseStart start, Sampler sampler)
    {
        try
        {
            return start.Init is { } init ? sampler.StartCall(init.Strength) : 0;
        }
        catch (ArgumentOutOfRangeException)
        {
            throw new InvalidRequestException(
                "init.strength", start.Init!.Strength, $"give at least {1.0 / start.Steps:0.####}, so that one of {start.Steps} steps is run");
        }
    }

    private int StepAt(int call)
    {
        int total = sampler.Timesteps.Count;
        return (int)((long)call * Steps / total) - (int)((long)startCall * Steps / total);
    }

    private static void CheckShapes(DenoiseJob job, DenoiserModel model)
    {
        long width = job.Tensor("embeddings").Shape[2];
        if (width != model.EmbeddingWidth)
        {
            throw new PreconditionException(
                $"embeddings.shape ends in {width} and the network of {job.Start.Version} takes embeddings of width {model.EmbeddingWidth}; use the text encoder of the same version.");
        }

        foreach (var tensor in job.LatentTensors.Where(tensor => tensor.Shape[1] != model.LatentChannels))
        {
            throw new PreconditionException(
                $"{tensor.Name} has {tensor.Shape[1]} channels and the latents of {job.Start.Version} have {model.LatentChannels}; use the autoencoder of the same version.");
        }

        if (model.NetworkChannels != model.LatentChannels && !job.Start.Inpaint)
        {
            throw new InvalidRequestException("inpaint", false, $"{job.Start.Version} is an inpainting model: give an init image and a mask");
        }
    }

    private Tensor Load(DenoiseJob job, string name)
    {
        var source = job.Tensor(name);
        var loaded = empty([.. source.Shape], ScalarType.Float32).DetachFromDisposeScope();
        tensors.Add(loaded);
        source.Data.CopyTo(loaded.bytes);
        using var scope = NewDisposeScope();
        if (!loaded.isfinite().all().item<bool>())
        {
            throw new FaultyVersionException(
                $"{name} of {job.Start.Version} holds NaN or infinite numbers; the weights that made it are damaged.", Wire.NotFinite);
        }

        return loaded;
    }
}
