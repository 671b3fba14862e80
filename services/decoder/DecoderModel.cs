using Fleet.Contracts;
using Fleet.Diffusion;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;
using Fleet.Safetensors;
using static TorchSharp.torch;

namespace Fleet.Decoder;

/// <summary>The part of a version that the decoder needs: its autoencoder.</summary>
internal sealed class DecoderModel : IDisposable
{
    private LatentProjection? projection;

    private DecoderModel(string version, AutoencoderKL autoencoder, ScalarType dtype)
    {
        Version = version;
        Autoencoder = autoencoder;
        DType = dtype;
    }

    public string Version { get; }

    public AutoencoderKL Autoencoder { get; }

    /// <summary>What the autoencoder computes in.</summary>
    public ScalarType DType { get; }

    public int LatentChannels => Autoencoder.Config.LatentChannels;

    /// <summary>Which files of a version are needed: what lies at the top (a single-file checkpoint, the index) and the autoencoder.</summary>
    public static bool Wants(string path) => !path.Contains('/') || path.StartsWith("vae/", StringComparison.Ordinal);

    /// <summary>Loads from a folder.</summary>
    /// <exception cref="PreconditionException">The weights are missing, damaged or do not fit.</exception>
    public static DecoderModel Load(string folder, string version, ComputeDevice device)
    {
        try
        {
            using var checkpoint = Checkpoint.Open(folder);
            bool upcast = device.DType == ScalarType.Float16 && AutoencoderKLConfig.Parse(checkpoint.Config("vae")).ForceUpcast;
            var dtype = upcast ? ScalarType.Float32 : device.DType;
            return new DecoderModel(version, AutoencoderKL.Load(checkpoint, device: device.Device, dtype: dtype), dtype);
        }
        catch (Exception e) when (e is CheckpointException or SafetensorsFormatException)
        {
            throw new FaultyVersionException($"Version {version} cannot be served: {e.Message}", Wire.LoadFailed, e);
        }
    }

    /// <summary>Latents as the denoiser leaves them, made ready for the autoencoder.</summary>
    public Tensor FromDenoiser(Tensor latents) => (latents / Autoencoder.Config.ScalingFactor + Autoencoder.Config.ShiftFactor).to(DType);

    /// <summary>How previews are made, fitted when the first one is wanted. For the device thread.</summary>
    public LatentProjection Projection(Device device) => projection ??= LatentProjection.Fit(this, device);

    /// <inheritdoc/>
    public void Dispose() => Autoencoder.Dispose();
}
