using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Tensor.V1;
using Grpc.Core;

namespace Fleet.Gateway.Tests.Peers;

// Encodes and compares pictures: the denoiser peer makes the images itself.
internal sealed class DecoderPeer : Fleet.Contracts.Decoder.V1.Decoder.DecoderBase
{
    public List<(EncodeImageStart Start, byte[] Files)> Requests { get; } = [];

    public List<(ComparePicturesStart Start, byte[] Files, IReadOnlyList<TensorBytes> Latents)> Comparisons { get; } = [];

    public Func<int, ServerCallContext, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    public override async Task EncodeImage(
        IAsyncStreamReader<EncodeImageRequest> requests, IServerStreamWriter<EncodeImageResponse> responses, ServerCallContext context)
    {
        await requests.MoveNext();
        var start = requests.Current.Start;
        var files = new MemoryStream();
        while (await requests.MoveNext())
        {
            files.Write(requests.Current.Frame.Data.Span);
        }

        Requests.Add((start, files.ToArray()));
        await Before(Requests.Count, context);
        await responses.WriteAsync(new EncodeImageResponse { Accepted = new DecodeAccepted { Version = start.Version } });
        foreach (string name in start.MaskByteLength > 0 ? ["init_mean", "init_std", "mask", "masked_mean", "masked_std"] : new[] { "init_mean", "init_std" })
        {
            foreach (var chunk in TensorCodec.Split(name, DType.Float32, [1, 1, 1, 1], new byte[4]))
            {
                await responses.WriteAsync(new EncodeImageResponse { Tensor = chunk });
            }
        }
    }

    public override async Task<ComparePicturesResponse> ComparePictures(IAsyncStreamReader<ComparePicturesRequest> requests, ServerCallContext context)
    {
        await requests.MoveNext();
        var start = requests.Current.Start;
        var files = new MemoryStream();
        var assembler = new TensorAssembler(1 << 20);
        var latents = new List<TensorBytes>();
        while (await requests.MoveNext())
        {
            files.Write(requests.Current.Frame is { } frame ? frame.Data.Span : []);
            if (requests.Current.Tensor is { } chunk && assembler.Add(chunk) is { } tensor)
            {
                latents.Add(tensor);
            }
        }

        Comparisons.Add((start, files.ToArray(), latents));
        return new ComparePicturesResponse
        {
            PsnrDb = 20,
            Ssim = 0.5,
            LatentRmse = 0.25,
            FirstThumbnail = Google.Protobuf.ByteString.CopyFrom(1),
            SecondThumbnail = Google.Protobuf.ByteString.CopyFrom(2),
        };
    }
}
