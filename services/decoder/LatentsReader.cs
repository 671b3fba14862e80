using System.Runtime.InteropServices;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Hosting;
using Grpc.Core;

namespace Fleet.Decoder;

/// <summary>Latents that came whole, fit the autoencoder and are finite.</summary>
internal sealed record Latents(LatentsStart Start, IReadOnlyList<long> Shape, byte[] Data);

/// <summary>Puts latents together from a Decode call's messages, one after another.</summary>
internal sealed class LatentsReader(IAsyncStreamReader<DecodeRequest> requests, DecoderModel model)
{
    private const int MaxSide = 512;
    private const int MaxPictures = 16;
    private const int MaxSteps = 1000;

    private readonly TensorAssembler assembler = new((long)model.LatentChannels * MaxSide * MaxSide * sizeof(float));

    /// <summary>The next latents; null when the caller has completed its side.</summary>
    /// <exception cref="InvalidRequestException">A message is out of order or a field out of its range.</exception>
    /// <exception cref="TensorStreamException">The tensor's messages do not fit together.</exception>
    /// <exception cref="PreconditionException">The latents do not fit the version's autoencoder, or are not finite.</exception>
    public async Task<Latents?> ReadAsync(CancellationToken cancellation)
    {
        if (!await requests.MoveNext(cancellation))
        {
            return null;
        }

        var start = requests.Current.Latents
            ?? throw new InvalidRequestException("message", requests.Current.MessageCase, "send latents before each tensor, and start once");
        RequestRules.Within("latents.image_index", start.ImageIndex, 0, MaxPictures - 1);
        RequestRules.Within("latents.step", start.Step, 0, MaxSteps);
        RequestRules.Seed("latents.seed", start.Seed, 0);

        while (await requests.MoveNext(cancellation))
        {
            var chunk = requests.Current.Tensor
                ?? throw new InvalidRequestException("message", requests.Current.MessageCase, "send the whole tensor after latents");
            if (chunk.Header is { } header)
            {
                CheckHeader(header);
            }

            if (assembler.Add(chunk) is { } tensor)
            {
                return RequireFinite(new Latents(start, tensor.Shape, tensor.Data));
            }
        }

        throw new InvalidRequestException("tensor", "cut off", "send all frames and the trailer before completing the stream");
    }

    private void CheckHeader(TensorHeader header)
    {
        if (header.Name != "latents")
        {
            throw new InvalidRequestException("tensor.header.name", header.Name, "give 'latents'");
        }

        if (header.Dtype != DType.Float32)
        {
            throw new InvalidRequestException("tensor.header.dtype", header.Dtype, "give FLOAT32");
        }

        string shape = $"({string.Join(", ", header.Shape)})";
        if (header.Shape is not [1, var channels, >= 1 and <= MaxSide, >= 1 and <= MaxSide])
        {
            throw new InvalidRequestException("tensor.header.shape", shape, $"give (1, {model.LatentChannels}, h, w) with h and w from 1 to {MaxSide}");
        }

        if (channels != model.LatentChannels)
        {
            throw new PreconditionException(
                $"latents are of shape {shape} and the autoencoder of {model.Version} takes {model.LatentChannels} channels; use the denoiser of the same version.");
        }
    }

    private Latents RequireFinite(Latents latents)
    {
        foreach (float value in MemoryMarshal.Cast<byte, float>(latents.Data))
        {
            if (!float.IsFinite(value))
            {
                throw new FaultyVersionException(
                    $"The latents of picture {latents.Start.ImageIndex} after step {latents.Start.Step} hold NaN or infinite numbers; the weights of {model.Version} are damaged.", Wire.NotFinite);
            }
        }

        return latents;
    }
}
