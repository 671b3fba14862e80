using System.Runtime.InteropServices;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Diffusion.Imaging;
using Grpc.Core;
using Grpc.Net.Client;

namespace Fleet.Stages.Tests.Decoder;

/// <summary>Messages of a Decode call, and what comes of them.</summary>
internal static class DecodeCall
{
    public static DecodeRequest Start(string version, params ImageText[] text)
    {
        var start = new DecodeStart { RequestId = "test", Version = version, Output = new ImageOutput { Format = ImageFormat.Png } };
        start.Output.Text.AddRange(text);
        return new DecodeRequest { Start = start };
    }

    /// <summary>Latents (1, 4, side, side) as the messages that carry them.</summary>
    public static List<DecodeRequest> Latents(float[] values, int side, bool preview = false, int index = 0, long seed = 0, int step = 0) =>
    [
        new() { Latents = new LatentsStart { ImageIndex = index, Preview = preview, Seed = seed, Step = step } },
        .. TensorCodec.Split("latents", DType.Float32, [1, 4, side, side], MemoryMarshal.AsBytes<float>(values).ToArray())
            .Select(chunk => new DecodeRequest { Tensor = chunk }),
    ];

    /// <summary>Sends all messages, then reads all answers.</summary>
    public static async Task<List<DecodeResponse>> RunAsync(GrpcChannel channel, params IEnumerable<DecodeRequest> requests)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var call = new Contracts.Decoder.V1.Decoder.DecoderClient(channel).Decode(cancellationToken: cancellation);
        try
        {
            foreach (var request in requests)
            {
                await call.RequestStream.WriteAsync(request, cancellation);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (RpcException)
        {
            // The call has ended; reading says how.
        }

        return await call.ResponseStream.ReadAllAsync(cancellation).ToListAsync(cancellation);
    }

    /// <summary>The file whose chunks these responses are, in order and without gaps.</summary>
    public static byte[] File(IEnumerable<DecodeResponse> responses, int index = 0)
    {
        using var file = new MemoryStream();
        foreach (var chunk in responses.Where(r => r.Image?.ImageIndex == index).Select(r => r.Image))
        {
            chunk.Offset.Should().Be(file.Length);
            chunk.Data.Length.Should().BeInRange(1, 256 * 1024);
            file.Write(chunk.Data.Span);
        }

        return file.ToArray();
    }

    public static Picture Picture(IEnumerable<DecodeResponse> responses, int index = 0) => PngReader.ReadPicture(File(responses, index));
}
