using System.Diagnostics;
using Fleet.Contracts;
using Fleet.Diffusion;
using Fleet.Diffusion.Imaging;
using Fleet.Hosting;
using Fleet.Serving;
using Microsoft.Extensions.Options;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Decoder;

/// <summary>A picture, and the time that it took on the device.</summary>
internal sealed record DecodedPicture(Picture Picture, TimeSpan ComputeTime);

/// <summary>A tensor as it goes on the wire: float32, little-endian.</summary>
internal sealed record NamedTensor(string Name, long[] Shape, byte[] Data);

/// <summary>
/// Runs autoencoders on the device. A full device refuses new calls; a call that was accepted waits for its turn, so that a
/// picture whose latents are made is not lost to those who came after it. Tensors live on the device thread only, inside one
/// piece of work: whoever goes away leaves none behind.
/// </summary>
internal sealed class DecodingEngine(DeviceQueue queue, ComputeDevice device, IOptions<SliceOptions> slice, IOptions<DecoderOptions> options)
{
    private readonly SemaphoreSlim places = new(slice.Value.QueueCapacity);
    private long lastWorkTicks = TimeSpan.FromSeconds(1).Ticks;

    /// <summary>Refuses when as many pieces of work as may are waiting.</summary>
    /// <exception cref="OverloadedException">It is so.</exception>
    public void RequirePlace()
    {
        if (places.CurrentCount == 0)
        {
            throw new OverloadedException(
                $"The device is busy and {slice.Value.QueueCapacity} pieces of work wait already.", TimeSpan.FromTicks(Interlocked.Read(ref lastWorkTicks)));
        }
    }

    /// <summary>A small picture of latents on their way.</summary>
    public Task<Picture> PreviewAsync(Latents latents, DecoderModel model, CancellationToken cancellation) => RunAsync(
        () => model.Projection(device.Device).Project(Load(latents)), cancellation);

    /// <summary>The picture of final latents.</summary>
    /// <exception cref="PreconditionException">The weights give a picture that is not finite.</exception>
    public Task<DecodedPicture> DecodeAsync(Latents latents, DecoderModel model, CancellationToken cancellation) => RunAsync(
        () =>
        {
            long start = Stopwatch.GetTimestamp();
            var autoencoder = model.Autoencoder;
            var z = model.FromDenoiser(Load(latents).to(device.Device));
            long pixels = latents.Shape[2] * latents.Shape[3] * autoencoder.Config.ScaleFactor * autoencoder.Config.ScaleFactor;
            var image = pixels > options.Value.TileAbovePixels ? autoencoder.DecodeTiled(z) : autoencoder.Decode(z);
            RequireFinite(image, model);
            return new DecodedPicture(Picture.FromTensor(image), Stopwatch.GetElapsedTime(start));
        },
        cancellation);

    /// <summary>The tensors that decoder.proto's EncodeImageResponse names.</summary>
    /// <exception cref="PreconditionException">The size does not fit the autoencoder, or its weights give latents that are not finite.</exception>
    public Task<IReadOnlyList<NamedTensor>> EncodeAsync(Picture image, Picture? mask, DecoderModel model, CancellationToken cancellation)
    {
        int scale = model.Autoencoder.Config.ScaleFactor;
        if (image.Width % scale != 0 || image.Height % scale != 0)
        {
            throw new PreconditionException($"start.width and start.height are {image.Width} and {image.Height}; the autoencoder of {model.Version} takes multiples of {scale}.");
        }

        return RunAsync<IReadOnlyList<NamedTensor>>(
            () =>
            {
                var pixels = image.ToTensor();
                if (mask is null)
                {
                    return [.. Encode("init", pixels, model)];
                }

                var painted = Mask.FromPicture(mask);
                var latentMask = Mask.ToLatentSize(painted, image.Height / scale, image.Width / scale);
                return [.. Encode("init", pixels, model), Save("mask", latentMask), .. Encode("masked", Mask.Blank(pixels, painted), model)];
            },
            cancellation);
    }

    private IEnumerable<NamedTensor> Encode(string name, Tensor image, DecoderModel model)
    {
        var autoencoder = model.Autoencoder;
        var pixels = image.to(model.DType).to(device.Device);
        bool tiled = image.shape[2] * image.shape[3] > options.Value.TileAbovePixels;
        var (mean, std) = tiled ? autoencoder.EncodeTiled(pixels) : autoencoder.Encode(pixels);
        RequireFinite(mean, model);
        RequireFinite(std, model);
        var config = autoencoder.Config;
        return [Save($"{name}_mean", (mean.to(float32) - config.ShiftFactor) * config.ScalingFactor), Save($"{name}_std", std.to(float32) * config.ScalingFactor)];
    }

    private async Task<T> RunAsync<T>(Func<T> compute, CancellationToken cancellation)
    {
        await places.WaitAsync(cancellation);
        try
        {
            return await queue.RunAsync(
                () =>
                {
                    long start = Stopwatch.GetTimestamp();
                    using var inference = no_grad();
                    using var scope = NewDisposeScope();
                    var result = compute();
                    Interlocked.Exchange(ref lastWorkTicks, Stopwatch.GetElapsedTime(start).Ticks);
                    return result;
                },
                cancellation);
        }
        finally
        {
            places.Release();
        }
    }

    private static Tensor Load(Latents latents)
    {
        var tensor = empty([.. latents.Shape], float32);
        latents.Data.CopyTo(tensor.bytes);
        return tensor;
    }

    private static NamedTensor Save(string name, Tensor tensor)
    {
        var contiguous = tensor.cpu().contiguous();
        return new NamedTensor(name, contiguous.shape, contiguous.bytes.ToArray());
    }

    private static void RequireFinite(Tensor tensor, DecoderModel model)
    {
        if (!tensor.isfinite().all().item<bool>())
        {
            throw new FaultyVersionException(
                $"The autoencoder of {model.Version} gives numbers that are NaN or infinite; its weights are damaged, or too large for {model.DType}.", Wire.NotFinite);
        }
    }
}
