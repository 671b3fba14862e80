using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Fleet.Diffusion.Layers;

/// <summary>What the residual blocks of one network have in common.</summary>
/// <param name="Groups">Groups of every group norm.</param>
/// <param name="Eps">Added to the variance in the norms.</param>
/// <param name="Activation">The nonlinearity before each convolution.</param>
/// <param name="TimeWidth">Width of the time embedding, or null for a network without time.</param>
/// <param name="ScaleAndShift">Whether the time embedding scales and shifts the second norm instead of being added before it.</param>
internal sealed record ResnetOptions(int Groups, double Eps, Activation Activation, int? TimeWidth = null, bool ScaleAndShift = false);

// Reference: diffusers models/resnet.py, ResnetBlock2D.
// b batch, c channels, h w height and width, t time-embedding width
internal sealed class ResnetBlock : Module<Tensor, Tensor?, Tensor>
{
    private readonly GroupNorm norm1;
    private readonly Conv2d conv1;
    private readonly Linear? time_emb_proj;
    private readonly GroupNorm norm2;
    private readonly Conv2d conv2;
    private readonly Conv2d? conv_shortcut;
    private readonly ResnetOptions options;
    private readonly double outputScale;

    public ResnetBlock(int inputs, int outputs, ResnetOptions options, double outputScale = 1)
        : base(nameof(ResnetBlock))
    {
        this.options = options;
        this.outputScale = outputScale;
        norm1 = ShapeOnly.GroupNorm(options.Groups, inputs, options.Eps);
        conv1 = ShapeOnly.Conv2d(inputs, outputs, 3, padding: 1);
        time_emb_proj = options.TimeWidth is { } width ? ShapeOnly.Linear(width, options.ScaleAndShift ? 2 * outputs : outputs) : null;
        norm2 = ShapeOnly.GroupNorm(options.Groups, outputs, options.Eps);
        conv2 = ShapeOnly.Conv2d(outputs, outputs, 3, padding: 1);
        conv_shortcut = inputs == outputs ? null : ShapeOnly.Conv2d(inputs, outputs, 1);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x, Tensor? timeEmbedding)
    {
        using var scope = NewDisposeScope();

        var h = Convolve(conv1, norm1.call(x));                         // (b, c_out, h, w)
        h = Convolve(conv2, WithTime(h, timeEmbedding));

        var skip = conv_shortcut?.call(x) ?? x;
        h = h.add_(skip);
        return scope.MoveToOuter(outputScale == 1 ? h : h.div_(outputScale));
    }

    // The input of a convolution is as large as its output: freed here, not at the end of the block.
    private Tensor Convolve(Conv2d conv, Tensor normed)
    {
        using var input = options.Activation.InPlace(normed);
        return conv.call(input);
    }

    private Tensor WithTime(Tensor h, Tensor? timeEmbedding)
    {
        using var before = h;
        if (time_emb_proj is null || timeEmbedding is null)
        {
            return norm2.call(h);
        }

        using var scope = NewDisposeScope();
        var time = time_emb_proj.call(options.Activation.Of(timeEmbedding)).unsqueeze(-1).unsqueeze(-1);   // (b, c_out, 1, 1)
        if (!options.ScaleAndShift)
        {
            return scope.MoveToOuter(norm2.call(h.add_(time)));
        }

        var parts = time.chunk(2, dim: 1);
        return scope.MoveToOuter(norm2.call(h).mul_(1 + parts[0]).add_(parts[1]));
    }
}
