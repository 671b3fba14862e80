using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// All that a job has between two calls of the network. Immutable: a step makes a new one. It owns its tensors and disposes
/// nothing of another state's, so an old state may be disposed as soon as the next exists.
/// </summary>
public sealed class SamplerState : IDisposable
{
    private const int FormatVersion = 1;

    internal SamplerState(
        int startCall, int nextCall, Tensor latents, IEnumerable<Tensor> history, Tensor? anchor, Tensor? denoised)
    {
        StartCall = startCall;
        NextCall = nextCall;
        Latents = Own(latents);
        History = [.. history.Select(Own)];
        Anchor = anchor is null ? null : Own(anchor);
        Denoised = denoised is null ? null : Own(denoised);
    }

    /// <summary>The call that the job began with: above 0 when it started from a picture.</summary>
    public int StartCall { get; }

    /// <summary>The call that comes next; the plan's number of calls when the job is done.</summary>
    public int NextCall { get; }

    /// <summary>(1, c, h, w) float32: the noisy latents, before <see cref="Sampler.ScaleModelInput"/>.</summary>
    public Tensor Latents { get; }

    /// <summary>Earlier results that the sampler looks back on, oldest first, each (1, c, h, w).</summary>
    public IReadOnlyList<Tensor> History { get; }

    /// <summary>The latents that a step of several calls set out from, (1, c, h, w).</summary>
    public Tensor? Anchor { get; }

    /// <summary>The picture as the last call predicts it, x_0, (1, c, h, w): for previews. Null before the first call.</summary>
    public Tensor? Denoised { get; }

    /// <summary>The state as bytes, from which <see cref="FromBytes"/> makes an equal one, bit by bit.</summary>
    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(FormatVersion);
        writer.Write(StartCall);
        writer.Write(NextCall);
        writer.Write(History.Count);
        writer.Write(Anchor is not null);
        writer.Write(Denoised is not null);
        foreach (var tensor in Tensors())
        {
            Write(writer, tensor);
        }

        writer.Flush();
        return stream.ToArray();
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote. The tensors are on the CPU.</summary>
    /// <exception cref="InvalidDataException">The bytes are cut, or of another version of Fleet.</exception>
    public static SamplerState FromBytes(byte[] bytes)
    {
        using var scope = NewDisposeScope();
        using var reader = new BinaryReader(new MemoryStream(bytes, writable: false));
        try
        {
            int version = reader.ReadInt32();
            if (version != FormatVersion)
            {
                throw new InvalidDataException($"A sampler state of format {version}; this version reads format {FormatVersion}.");
            }

            int startCall = reader.ReadInt32();
            int nextCall = reader.ReadInt32();
            int historyCount = reader.ReadInt32();
            bool hasAnchor = reader.ReadBoolean();
            bool hasDenoised = reader.ReadBoolean();
            var latents = ReadTensor(reader);
            var history = new List<Tensor>();
            while (history.Count < historyCount)
            {
                history.Add(ReadTensor(reader));
            }

            var anchor = hasAnchor ? ReadTensor(reader) : null;
            var denoised = hasDenoised ? ReadTensor(reader) : null;
            return new SamplerState(startCall, nextCall, latents, history, anchor, denoised);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException($"A sampler state cut after {bytes.Length} bytes.", e);
        }
    }

    /// <summary>This state with other latents, (1, c, h, w): for what changes latents between calls, such as keeping a part of a picture.</summary>
    public SamplerState WithLatents(Tensor latents) => new(StartCall, NextCall, latents, History, Anchor, Denoised);

    /// <summary>Frees this state's hold on its tensors.</summary>
    public void Dispose()
    {
        foreach (var tensor in Tensors())
        {
            tensor.Dispose();
        }
    }

    private IEnumerable<Tensor> Tensors()
    {
        Tensor?[] all = [Latents, .. History, Anchor, Denoised];
        return all.OfType<Tensor>();
    }

    // A handle of our own on the same storage: nobody writes into a state's tensors.
    private static Tensor Own(Tensor tensor) => tensor.alias().DetachFromDisposeScope();

    private static void Write(BinaryWriter writer, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        writer.Write((int)tensor.dim());
        foreach (long size in tensor.shape)
        {
            writer.Write(size);
        }

        writer.Write(tensor.cpu().contiguous().bytes);
    }

    private static Tensor ReadTensor(BinaryReader reader)
    {
        long left = reader.BaseStream.Length - reader.BaseStream.Position;
        long[] shape = new long[Math.Clamp(reader.ReadInt32(), 0, 8)];
        for (int i = 0; i < shape.Length; i++)
        {
            shape[i] = reader.ReadInt64();
            left = shape[i] > 0 ? left / shape[i] : 0;
        }

        if (left < sizeof(float))
        {
            throw new EndOfStreamException($"A tensor of shape ({string.Join(", ", shape)}) is longer than the bytes there are.");
        }

        var tensor = empty(shape, ScalarType.Float32);
        reader.BaseStream.ReadExactly(tensor.bytes);
        return tensor;
    }
}
