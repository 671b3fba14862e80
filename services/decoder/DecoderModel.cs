using System.Runtime.CompilerServices;
using Fleet.Diffusion;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Serving;
using static TorchSharp.torch;

namespace Fleet.Decoder;

/// <summary>The part of a version that the decoder needs: its autoencoder.</summary>
internal sealed class DecoderModel : IStageModel<DecoderModel>
{
    private readonly StrongBox<LatentProjection?> projection; // one for all names of the model

    private DecoderModel(string version, AutoencoderKL autoencoder, ScalarType dtype, StrongBox<LatentProjection?> projection)
    {
        Version = version;
        Autoencoder = autoencoder;
        DType = dtype;
        this.projection = projection;
    }

    public string Version { get; }

    public AutoencoderKL Autoencoder { get; }

    /// <summary>What the autoencoder computes in.</summary>
    public ScalarType DType { get; }

    public int LatentChannels => Autoencoder.Config.LatentChannels;

    /// <summary>Which files of a version are needed: what lies at the top (a single-file checkpoint, the index) and the autoencoder.</summary>
    public static bool Wants(string path) => !path.Contains('/') || path.StartsWith("vae/", StringComparison.Ordinal);

    /// <summary>Loads from a checkpoint.</summary>
    /// <exception cref="CheckpointException">The weights are missing, damaged or do not fit.</exception>
    public static DecoderModel Load(Checkpoint checkpoint, string version, ComputeDevice device)
    {
        bool upcast = device.DType == ScalarType.Float16 && AutoencoderKLConfig.Parse(checkpoint.Config("vae")).ForceUpcast;
        var dtype = upcast ? ScalarType.Float32 : device.DType;
        return new DecoderModel(version, AutoencoderKL.Load(checkpoint, device: device.Device, dtype: dtype), dtype, new StrongBox<LatentProjection?>());
    }

    public DecoderModel For(string version) => new(version, Autoencoder, DType, projection);

    /// <summary>Latents as the denoiser leaves them, made ready for the autoencoder.</summary>
    public Tensor FromDenoiser(Tensor latents) => (latents / Autoencoder.Config.ScalingFactor + Autoencoder.Config.ShiftFactor).to(DType);

    /// <summary>How previews are made, fitted when the first one is wanted. For the device thread.</summary>
    public LatentProjection Projection(Device device) => projection.Value ??= LatentProjection.Fit(this, device);

    /// <inheritdoc/>
    public void Dispose() => Autoencoder.Dispose();
}
