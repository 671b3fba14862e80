using Fleet.Contracts;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Hosting;
using Grpc.Core;

namespace Fleet.Denoiser;

/// <summary>A request that was read from the wire and whose fields are within the limits of denoiser.proto.</summary>
internal sealed class DenoiseJob
{
    private const int MaxLatentSide = 512;
    private const int TokensOfAChunk = 77;
    private const long MaxTensorBytes = 256L * 1024 * 1024;

    private readonly Dictionary<string, TensorBytes> tensors;

    private DenoiseJob(DenoiseStart start, Dictionary<string, TensorBytes> tensors)
    {
        Start = start;
        this.tensors = tensors;
    }

    /// <summary>The request's parameters.</summary>
    public DenoiseStart Start { get; }

    /// <summary>Whether the network runs on the negative embeddings too.</summary>
    public bool Guided => Start.GuidanceScale > 1;

    /// <summary>The tensors that have as many channels as latents.</summary>
    public IEnumerable<TensorBytes> LatentTensors => tensors.Values.Where(tensor => tensor.Shape.Count == 4 && tensor.Name != "mask");

    /// <summary>The tensor of that name, which <see cref="ReadAsync"/> has made sure is there.</summary>
    public TensorBytes Tensor(string name) => tensors[name];

    /// <summary>Reads a request: its start, then the tensors that start announces, each once.</summary>
    /// <exception cref="InvalidRequestException">A field is out of its range, or a tensor is missing, unknown or of the wrong shape.</exception>
    /// <exception cref="TensorStreamException">A tensor's messages do not fit together.</exception>
    public static async Task<DenoiseJob> ReadAsync(IAsyncStreamReader<DenoiseRequest> requests, CancellationToken cancellation)
    {
        if (!await requests.MoveNext(cancellation) || requests.Current.Start is not { } start)
        {
            throw new InvalidRequestException("start", null, "send it as the first message");
        }

        CheckStart(start);
        var tensors = new Dictionary<string, TensorBytes>(StringComparer.Ordinal);
        var assembler = new TensorAssembler(MaxTensorBytes);
        while (await requests.MoveNext(cancellation))
        {
            var chunk = requests.Current.Tensor
                ?? throw new InvalidRequestException("message", requests.Current.MessageCase, "after start, send tensors only");
            if (chunk.Header is { } header)
            {
                CheckHeader(start, header, tensors);
            }

            if (assembler.Add(chunk) is { } tensor)
            {
                tensors.Add(tensor.Name, tensor);
            }
        }

        if (!assembler.Empty)
        {
            throw new InvalidRequestException("tensor", "cut off", "send all frames and the trailer before completing the stream");
        }

        foreach (string name in ExpectedTensors(start))
        {
            if (!tensors.ContainsKey(name))
            {
                throw new InvalidRequestException("tensor", tensors.Keys.LastOrDefault(), $"send '{name}' too: {string.Join(", ", ExpectedTensors(start))} are needed");
            }
        }

        if (tensors.TryGetValue("negative_embeddings", out var negative) && !negative.Shape.SequenceEqual(tensors["embeddings"].Shape))
        {
            throw new InvalidRequestException(
                "negative_embeddings.shape", Text(negative.Shape), $"give it the shape of embeddings, {Text(tensors["embeddings"].Shape)}");
        }

        return new DenoiseJob(start, tensors);
    }

    /// <summary>A job whose tensors are all zero: for trying a network.</summary>
    public static DenoiseJob OfZeros(DenoiseStart start, long latentChannels, long embeddingWidth)
    {
        long[] ShapeOf(string name) => name.EndsWith("embeddings", StringComparison.Ordinal)
            ? [1, TokensOfAChunk, embeddingWidth]
            : [1, name == "mask" ? 1 : latentChannels, start.LatentHeight, start.LatentWidth];
        var tensors = ExpectedTensors(start).Select(name => (Name: name, Shape: ShapeOf(name)))
            .ToDictionary(tensor => tensor.Name, tensor => new TensorBytes(tensor.Name, DType.Float32, tensor.Shape, new byte[tensor.Shape.Aggregate(sizeof(float), (long product, long length) => product * length)]));
        return new DenoiseJob(start, tensors);
    }

    private static void CheckStart(DenoiseStart start)
    {
        RequestRules.RequestId(start.RequestId);
        RequestRules.VersionDigest(start.Version);
        RequestRules.Within("latent_height", start.LatentHeight, 1, MaxLatentSide);
        RequestRules.Within("latent_width", start.LatentWidth, 1, MaxLatentSide);
        RequestRules.Within("count", start.Count, 1, 16);
        RequestRules.Seed("seed", start.Seed, start.Count);
        RequestRules.Within("steps", start.Steps, 1, 1000);
        RequestRules.Within("guidance_scale", start.GuidanceScale, 0, 100);
        RequestRules.Within("guidance_rescale", start.GuidanceRescale, 0, 1);
        RequestRules.Within("preview_interval", start.PreviewInterval, 0, 1000);
        if (start.Init is { } init && !(init.Strength is > 0 and <= 1))
        {
            throw new InvalidRequestException("init.strength", init.Strength, "give a number above 0 and up to 1");
        }

        if (start.Inpaint && start.Init is null)
        {
            throw new InvalidRequestException("inpaint", true, "set init as well");
        }

        if (start.Output is null)
        {
            throw new InvalidRequestException("output", null, "say what the decoder is to make");
        }
    }

    private static void CheckHeader(DenoiseStart start, TensorHeader header, Dictionary<string, TensorBytes> received)
    {
        if (!ExpectedTensors(start).Contains(header.Name) || received.ContainsKey(header.Name))
        {
            throw new InvalidRequestException("tensor.header.name", header.Name, $"send each of {string.Join(", ", ExpectedTensors(start))} once");
        }

        if (header.Dtype != DType.Float32)
        {
            throw new InvalidRequestException($"{header.Name}.dtype", header.Dtype, "give FLOAT32");
        }

        bool fits = header.Name.EndsWith("embeddings", StringComparison.Ordinal)
            ? header.Shape is [1, var tokens, > 0] && tokens > 0 && tokens % TokensOfAChunk == 0
            : header.Shape.Count == 4 && header.Shape[0] == 1 && header.Shape[2] == start.LatentHeight && header.Shape[3] == start.LatentWidth
                && (header.Name != "mask" || header.Shape[1] == 1);
        if (!fits)
        {
            string expected = header.Name.EndsWith("embeddings", StringComparison.Ordinal)
                ? "(1, tokens, width) with tokens a multiple of 77"
                : $"(1, {(header.Name == "mask" ? "1" : "channels")}, {start.LatentHeight}, {start.LatentWidth})";
            throw new InvalidRequestException($"{header.Name}.shape", Text(header.Shape), $"give {expected}");
        }
    }

    private static List<string> ExpectedTensors(DenoiseStart start)
    {
        List<string> names = ["embeddings"];
        if (start.GuidanceScale > 1)
        {
            names.Add("negative_embeddings");
        }

        if (start.Init is not null)
        {
            names.AddRange(["init_mean", "init_std"]);
        }

        if (start.Inpaint)
        {
            names.AddRange(["mask", "masked_mean", "masked_std"]);
        }

        return names;
    }

    private static string Text(IEnumerable<long> shape) => $"({string.Join(", ", shape)})";
}
