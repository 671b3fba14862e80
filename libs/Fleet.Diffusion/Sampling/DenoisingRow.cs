using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

// b batch, c latent channels, h w latent height and width, t tokens

/// <summary>What the pictures of a request have in common. Tensors are float32 on the CPU and stay the caller's.</summary>
public sealed record DenoisingTask
{
    /// <summary>The scheduler's plan.</summary>
    public required Sampler Sampler { get; init; }

    /// <summary>Embeddings of the prompt, (1, t, width).</summary>
    public required Tensor Embeddings { get; init; }

    /// <summary>Embeddings of the negative prompt, (1, t, width); needed when <see cref="GuidanceScale"/> is above 1.</summary>
    public Tensor? NegativeEmbeddings { get; init; }

    /// <summary>Weight of classifier-free guidance (arXiv:2207.12598). 1 or less: none.</summary>
    public double GuidanceScale { get; init; } = 1;

    /// <summary>Rescale of the guided prediction (arXiv:2305.08891, 3.4), 0 to 1.</summary>
    public double GuidanceRescale { get; init; }

    /// <summary>Shape of the latents, (1, c, h, w).</summary>
    public required IReadOnlyList<long> Shape { get; init; }

    /// <summary>The picture to start from, if any.</summary>
    public InitialPicture? Init { get; init; }

    /// <summary>The part to repaint, if not all. Needs <see cref="Init"/>.</summary>
    public RepaintMask? Repaint { get; init; }
}

/// <summary>A picture to start from, as the distribution of its latents times the scaling factor, (1, c, h, w) each.</summary>
/// <param name="Mean">Mean.</param>
/// <param name="Std">Standard deviation.</param>
/// <param name="Strength">How much of the schedule is run, above 0 and up to 1.</param>
public sealed record InitialPicture(Tensor Mean, Tensor Std, double Strength);

/// <summary>A part to repaint.</summary>
/// <param name="Mask">(1, 1, h, w), 1 where the picture is repainted.</param>
/// <param name="MaskedMean">Mean of the latents of the picture without that part, (1, c, h, w).</param>
/// <param name="MaskedStd">Their standard deviation.</param>
public sealed record RepaintMask(Tensor Mask, Tensor MaskedMean, Tensor MaskedStd);

/// <summary>
/// One picture on its way: latents, scheduler history, position, noise. It owns all of its state, so any rows may share a call
/// of the network.
/// </summary>
/// <remarks>
/// Order of the draws from the noise source, as the reference's pipelines have it: the init picture's posterior sample, the
/// initial noise, the masked picture's posterior sample, then the scheduler's own, call by call. An inpainting network (more
/// input than latent channels) at full strength does not look at the init picture, and draws no sample of it.
/// </remarks>
public sealed class DenoisingRow : IDisposable
{
    private readonly DenoisingTask task;
    private readonly Func<Tensor> drawNoise;
    private readonly Tensor? networkContext; // (1, 1 + c, h, w): mask and masked latents of an inpainting network
    private readonly Tensor? initLatents; // (1, c, h, w): what stays where the mask is 0, for an ordinary network
    private readonly Tensor? initNoise;
    private SamplerState state;

    /// <summary>Draws the initial noise and stands before the first call.</summary>
    /// <param name="task">What to make.</param>
    /// <param name="networkChannels">Input channels of the network: c, or 2c + 1 for an inpainting network.</param>
    /// <param name="drawNoise">Gives standard normal noise, float32 of the latents' shape, a new tensor each time.</param>
    /// <exception cref="ArgumentException">The network's channels do not fit the task.</exception>
    public DenoisingRow(DenoisingTask task, int networkChannels, Func<Tensor> drawNoise)
    {
        this.task = task;
        this.drawNoise = drawNoise;
        long channels = task.Shape[1];
        bool inpaintingNetwork = networkChannels == (2 * channels) + 1;
        if (!inpaintingNetwork && networkChannels != channels)
        {
            throw new ArgumentException(
                $"The network takes {networkChannels} channels; latents have {channels}, so {channels} or, for inpainting, {(2 * channels) + 1} are needed.",
                nameof(networkChannels));
        }

        if (inpaintingNetwork && task.Repaint is null)
        {
            throw new ArgumentException("This version is an inpainting model: give an init image and a mask.", nameof(task));
        }

        using var scope = NewDisposeScope();
        var sampler = task.Sampler;
        Call = task.Init is { } init ? sampler.StartCall(init.Strength) : 0;
        bool fromNoise = task.Init is null || (task.Repaint is not null && task.Init.Strength >= 1);

        var picture = task.Init is null || (fromNoise && inpaintingNetwork) ? null : task.Init.Mean + (task.Init.Std * drawNoise());
        var noise = drawNoise();
        var latents = fromNoise ? noise * sampler.InitNoiseSigma : sampler.AddNoise(picture!, noise, Call);
        state = sampler.Begin(latents, Call);

        if (task.Repaint is { } repaint)
        {
            var masked = repaint.MaskedMean + (repaint.MaskedStd * drawNoise());
            if (inpaintingNetwork)
            {
                networkContext = cat([repaint.Mask, masked], 1).DetachFromDisposeScope();
            }
            else
            {
                initLatents = picture!.DetachFromDisposeScope();
                initNoise = noise.DetachFromDisposeScope();
            }
        }
    }

    /// <summary>The next call of the network, counted from the start of the schedule.</summary>
    public int Call { get; private set; }

    /// <summary>Calls of the network that are left. 0: done.</summary>
    public int RemainingCalls => task.Sampler.Timesteps.Count - Call;

    /// <summary>The latents, (1, c, h, w); this row's own.</summary>
    public Tensor Latents => state.Latents;

    /// <summary>The guess at the result that the last call gave, (1, c, h, w); this row's own.</summary>
    public Tensor Denoised => state.Denoised ?? state.Latents;

    internal DenoisingTask Task => task;

    internal double Timestep => task.Sampler.Timesteps[Call];

    /// <summary>What the network is to see, (1, networkChannels, h, w). A new tensor.</summary>
    internal Tensor NetworkInput()
    {
        using var scope = NewDisposeScope();
        var scaled = task.Sampler.ScaleModelInput(state.Latents, Call);
        return scope.MoveToOuter(networkContext is null ? scaled.alias() : cat([scaled, networkContext], 1));
    }

    /// <summary>Takes the network's answer, guidance applied, (1, c, h, w), and moves on by one call.</summary>
    internal void Advance(Tensor prediction)
    {
        using var scope = NewDisposeScope();
        var sampler = task.Sampler;
        var next = sampler.Step(state, Call, prediction, drawNoise);
        Call++;
        if (initLatents is not null)
        {
            // Outside the mask the picture stays the one that was given, at the noise level of the next call.
            var mask = task.Repaint!.Mask;
            var known = RemainingCalls > 0 ? sampler.AddNoise(initLatents, initNoise!, Call) : initLatents;
            using var unmasked = next;
            next = unmasked.WithLatents(((1 - mask) * known) + (mask * unmasked.Latents));
        }

        using var previous = state;
        state = next;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        state.Dispose();
        networkContext?.Dispose();
        initLatents?.Dispose();
        initNoise?.Dispose();
    }
}
