using System.Runtime.InteropServices;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Diffusion.Imaging;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;

namespace Fleet.Stages.Tests.Decoder;

public sealed class ComparePicturesTests(StageFleet fleet)
{
    [Fact]
    public async Task ComparePictures_EqualPictures_AreIdentical()
    {
        byte[] file = PngWriter.Write(TestPictures.Quarters(40, 24), []);
        byte[] sameWithText = PngWriter.Write(TestPictures.Quarters(40, 24), [new TextRecord("fleet", "another version")]);

        var response = await CompareAsync(Requests(file, sameWithText, [1, 2, 3, 4], [1, 2, 3, 4]));

        response.Should().BeEquivalentTo(new { Identical = true, PsnrDb = 100.0, Ssim = 1.0, LatentRmse = 0.0 });
        response.FirstThumbnail.Should().BeEmpty();
    }

    [Fact]
    public async Task ComparePictures_DifferentPictures_GivesTheLibrarysNumbers()
    {
        var first = TestPictures.Quarters(200, 100);
        var second = new Picture(200, 100, [.. first.Rgb.Select((value, i) => (byte)(value / 2 + i % 60))]);

        var response = await CompareAsync(
            Requests(PngWriter.Write(first, []), PngWriter.Write(second, []), [3, 0, 0, 4], [3, 0, 1, 4], thumbnail: 50));

        response.Identical.Should().BeFalse();
        response.PsnrDb.Should().Be(PictureDifference.PeakSignalToNoise(first, second));
        response.Ssim.Should().Be(PictureDifference.StructuralSimilarity(first, second, SimilarityWindow.Gaussian));
        response.LatentRmse.Should().BeApproximately(1 / 5.0, 1e-12);
        var thumbnail = PngReader.ReadPicture(response.SecondThumbnail.ToByteArray());
        thumbnail.Rgb.Should().Equal(second.Resize(50, 25).Rgb);
    }

    [Fact]
    public async Task ComparePictures_NoLatents_LeavesTheirDistanceUnset()
    {
        byte[] file = TestPictures.Encode(TestPictures.Quarters(16, 16), SkiaSharp.SKEncodedImageFormat.Jpeg);

        var response = await CompareAsync(Requests(file, file));

        response.HasLatentRmse.Should().BeFalse();
        response.Identical.Should().BeTrue();
    }

    public static TheoryData<string, Action<List<ComparePicturesRequest>>, string> BadRequests() => new()
    {
        { "nothing", r => r.Clear(), "start is not set*" },
        { "no bytes", r => r[0].Start.FirstByteLength = 0, "start.first_byte_length is 0*" },
        { "too many bytes", r => r[0].Start.SecondByteLength = 1L << 40, "start.second_byte_length is *" },
        { "thumbnail 129", r => r[0].Start.ThumbnailSize = 129, "start.thumbnail_size is 129*0 to 128*" },
        { "bytes missing", r => r[0].Start.SecondByteLength += 1, "frame is 'missing after *" },
        { "bytes left over", r => r[0].Start.SecondByteLength -= 1, "frame.data is *" },
        { "empty frame", r => r[1].Frame.Data = ByteString.Empty, "frame.data.length is 0*" },
        { "not a picture", r => r[1].Frame.Data = ByteString.CopyFrom(new byte[r[1].Frame.Data.Length]), "first is 'a file of *no PNG, JPEG or WebP*" },
        { "one tensor missing", r => r.RemoveAt(r.Count - 1), "tensor is 'missing after 1 of 2'*" },
        { "tensors not announced", r => r[0].Start.Latents = false, "message is *Tensor*send nothing*" },
        { "another name", r => r[^3].Tensor.Header.Name = "init_mean", "tensor.header.name is 'init_mean'*" },
        { "another shape", r => r[^3].Tensor.Header.Shape[1] = 2, "tensor.header.shape is '(1, 2, 2, 2)'*the same for both*" },
        { "another dtype", r => r[^3].Tensor.Header.Dtype = DType.Float16, "tensor.header.dtype is *" },
    };

    [Theory]
    [MemberData(nameof(BadRequests), DisableDiscoveryEnumeration = true)]
    public async Task ComparePictures_BadRequest_NamesFieldAndValue(string name, Action<List<ComparePicturesRequest>> spoil, string message)
    {
        byte[] file = PngWriter.Write(TestPictures.Quarters(32, 32), []);
        var requests = Requests(file, file, [1, 2, 3, 4], [1, 2, 3, 4]);
        spoil(requests);

        var compare = () => CompareAsync(requests);

        var error = (await compare.Should().ThrowAsync<RpcException>(name)).Which.Status;
        error.StatusCode.Should().Be(StatusCode.InvalidArgument, error.Detail);
        error.Detail.Should().Match(message);
    }

    [Fact]
    public async Task ComparePictures_TwoSizes_NamesBoth()
    {
        var compare = () => CompareAsync(
            Requests(PngWriter.Write(TestPictures.Quarters(32, 32), []), PngWriter.Write(TestPictures.Quarters(32, 40), [])));

        (await compare.Should().ThrowAsync<RpcException>()).Which.Status.Detail.Should().Match("second is 'of 32x40 pixels'*32x32*");
    }

    [Fact]
    public async Task ComparePictures_LatentsThatAreNotFinite_AreRefused()
    {
        byte[] file = PngWriter.Write(TestPictures.Quarters(32, 32), []);

        var compare = () => CompareAsync(Requests(file, file, [1, 2, 3, 4], [1, float.NaN, 3, 4]));

        (await compare.Should().ThrowAsync<RpcException>()).Which.Status.Detail.Should().Contain("finite");
    }

    [Fact]
    public async Task ComparePictures_WhileAnotherOneIsMade_IsRefusedWithARetryHint()
    {
        var decoder = fleet.Open(await fleet.StartStageAsync(Fleet.Decoder.DecoderHost.Create, "--Decoder:MaxComparisons=1"));
        byte[] file = PngWriter.Write(TestPictures.Quarters(32, 32), []);
        using var first = new Contracts.Decoder.V1.Decoder.DecoderClient(decoder).ComparePictures(cancellationToken: TestContext.Current.CancellationToken);
        RpcException? refusal = null;

        // The first call has its place once a second one is refused; sending start alone does not say when.
        await first.RequestStream.WriteAsync(Requests(file, file)[0], TestContext.Current.CancellationToken);
        while (refusal is null)
        {
            try
            {
                await CompareAsync(decoder, Requests(file, file));
            }
            catch (RpcException e)
            {
                refusal = e;
            }
        }

        refusal.StatusCode.Should().Be(StatusCode.ResourceExhausted);
        refusal.Trailers.GetValue(Wire.RetryAfterTrailer).Should().Be("1000");
    }

    private static List<ComparePicturesRequest> Requests(
        byte[] first, byte[] second, float[]? firstLatents = null, float[]? secondLatents = null, int thumbnail = 0) =>
    [
        new()
        {
            Start = new ComparePicturesStart
            {
                FirstByteLength = first.Length, SecondByteLength = second.Length, Latents = firstLatents is not null, ThumbnailSize = thumbnail,
            },
        },
        .. first.Concat(second).Chunk(Wire.FrameBytes).Select(data => new ComparePicturesRequest { Frame = new ImageFileFrame { Data = ByteString.CopyFrom(data) } }),
        .. Tensor(firstLatents),
        .. Tensor(secondLatents),
    ];

    private static IEnumerable<ComparePicturesRequest> Tensor(float[]? values) => values is null
        ? []
        : TensorCodec.Split("latents", DType.Float32, [1, 1, 2, 2], MemoryMarshal.AsBytes<float>(values).ToArray())
            .Select(chunk => new ComparePicturesRequest { Tensor = chunk });

    private Task<ComparePicturesResponse> CompareAsync(List<ComparePicturesRequest> requests) => CompareAsync(fleet.Decoder, requests);

    private static async Task<ComparePicturesResponse> CompareAsync(GrpcChannel decoder, List<ComparePicturesRequest> requests)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var call = new Contracts.Decoder.V1.Decoder.DecoderClient(decoder).ComparePictures(cancellationToken: cancellation);
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
            // The call has ended; its response says how.
        }

        return await call;
    }
}
