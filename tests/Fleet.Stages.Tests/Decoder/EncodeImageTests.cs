using System.Runtime.InteropServices;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Diffusion.Imaging;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Testing;
using Google.Protobuf;
using Grpc.Core;
using SkiaSharp;
using static TorchSharp.torch;

namespace Fleet.Stages.Tests.Decoder;

public sealed class EncodeImageTests(StageFleet fleet)
{
    private const double ScalingFactor = 0.18215;

    [Fact]
    public async Task EncodeImage_Picture_GivesTheScaledDistributionOfItsLatents()
    {
        var picture = TestPictures.Quarters(32, 24);

        var tensors = await EncodeAsync(Requests(PngWriter.Write(picture, []), [], 32, 24));

        using var scope = NewDisposeScope();
        var (mean, std) = Reference(picture.ToTensor());
        tensors.Keys.Should().Equal("init_mean", "init_std");
        tensors["init_mean"].Shape.Should().Equal(1, 4, 12, 16);
        Values(tensors["init_mean"]).Zip(mean, (a, b) => Math.Abs(a - b)).Max().Should().BeLessThan(1e-5f);
        Values(tensors["init_std"]).Zip(std, (a, b) => Math.Abs(a - b)).Max().Should().BeLessThan(1e-5f);
    }

    [Fact]
    public async Task EncodeImage_PictureAndMask_GivesTheMaskAtLatentSizeAndTheBlankedPicture()
    {
        var picture = TestPictures.Quarters(32, 32);
        var mask = TestPictures.Quarters(32, 32); // green and white are above half of white, red and blue below

        var tensors = await EncodeAsync(Requests(PngWriter.Write(picture, []), PngWriter.Write(mask, []), 32, 32));

        using var scope = NewDisposeScope();
        var blanked = picture.ToTensor();
        blanked[TensorIndex.Ellipsis, TensorIndex.Slice(16)] = 0;
        var (mean, _) = Reference(blanked);
        tensors.Keys.Should().Equal("init_mean", "init_std", "mask", "masked_mean", "masked_std");
        tensors["mask"].Shape.Should().Equal(1, 1, 16, 16);
        Values(tensors["mask"]).Should().Equal(Enumerable.Range(0, 256).Select(i => i % 16 < 8 ? 0f : 1f));
        Values(tensors["masked_mean"]).Zip(mean, (a, b) => Math.Abs(a - b)).Max().Should().BeLessThan(1e-5f);
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    [InlineData(SKEncodedImageFormat.Webp)]
    public async Task EncodeImage_LargerFileOfAnotherFormat_IsBroughtToTheSize(SKEncodedImageFormat format)
    {
        byte[] file = TestPictures.Encode(TestPictures.Quarters(500, 300), format);

        var tensors = await EncodeAsync(Requests(file, [], 48, 40, frameBytes: 100));

        tensors["init_mean"].Shape.Should().Equal(1, 4, 20, 24);
    }

    public static TheoryData<string, Action<List<EncodeImageRequest>>, StatusCode, string> BadRequests() => new()
    {
        { "nothing", r => r.Clear(), StatusCode.InvalidArgument, "start is not set*" },
        { "id", r => r[0].Start.RequestId = "", StatusCode.InvalidArgument, "request_id is empty*" },
        { "version", r => r[0].Start.Version = "", StatusCode.InvalidArgument, "version is empty*" },
        { "unknown version", r => r[0].Start.Version = $"sha256:{new string('0', 64)}", StatusCode.NotFound, "*000000*" },
        { "width 0", r => r[0].Start.Width = 0, StatusCode.InvalidArgument, "start.width is 0*multiple of 8*" },
        { "height 33", r => r[0].Start.Height = 33, StatusCode.InvalidArgument, "start.height is 33*multiple of 8*" },
        { "width 4096", r => r[0].Start.Width = 4096, StatusCode.InvalidArgument, "start.width is 4096*2048*" },
        { "no bytes", r => r[0].Start.ImageByteLength = 0, StatusCode.InvalidArgument, "start.image_byte_length is 0*" },
        { "too many bytes", r => r[0].Start.ImageByteLength = 1L << 40, StatusCode.InvalidArgument, "start.image_byte_length is *" },
        { "negative mask", r => r[0].Start.MaskByteLength = -1, StatusCode.InvalidArgument, "start.mask_byte_length is -1*" },
        { "bytes missing", r => r[0].Start.ImageByteLength += 1, StatusCode.InvalidArgument, "frame.data is *" },
        { "bytes left over", r => r[0].Start.ImageByteLength -= 1, StatusCode.InvalidArgument, "frame.data is *" },
        { "empty frame", r => r[1].Frame.Data = ByteString.Empty, StatusCode.InvalidArgument, "frame.data.length is 0*" },
        { "start twice", r => r.Insert(1, r[0]), StatusCode.InvalidArgument, "message is *Start*" },
        { "not a picture", r => r[1].Frame.Data = ByteString.CopyFrom(new byte[r[1].Frame.Data.Length]), StatusCode.InvalidArgument, "image is 'a file of *no PNG, JPEG or WebP*" },
    };

    [Theory]
    [MemberData(nameof(BadRequests), DisableDiscoveryEnumeration = true)]
    public async Task EncodeImage_BadRequest_NamesFieldAndValue(string name, Action<List<EncodeImageRequest>> spoil, StatusCode status, string message)
    {
        var requests = Requests(PngWriter.Write(TestPictures.Quarters(32, 32), []), [], 32, 32);
        spoil(requests);

        var encode = () => EncodeAsync(requests);

        var error = (await encode.Should().ThrowAsync<RpcException>(name)).Which.Status;
        error.StatusCode.Should().Be(status, error.Detail);
        error.Detail.Should().Match(message);
    }

    [Fact]
    public async Task EncodeImage_MaskThatIsNoPicture_NamesTheMask()
    {
        var encode = () => EncodeAsync(Requests(PngWriter.Write(TestPictures.Quarters(32, 32), []), new byte[50], 32, 32));

        (await encode.Should().ThrowAsync<RpcException>()).Which.Status.Detail.Should().StartWith("mask is 'a file of 50 bytes'");
    }

    private List<EncodeImageRequest> Requests(byte[] image, byte[] mask, int width, int height, int frameBytes = 64 * 1024) =>
    [
        new()
        {
            Start = new EncodeImageStart
            {
                RequestId = "test", Version = fleet.Version, Width = width, Height = height, ImageByteLength = image.Length, MaskByteLength = mask.Length,
            },
        },
        .. image.Concat(mask).Chunk(frameBytes).Select(data => new EncodeImageRequest { Frame = new ImageFileFrame { Data = ByteString.CopyFrom(data) } }),
    ];

    private async Task<Dictionary<string, TensorBytes>> EncodeAsync(List<EncodeImageRequest> requests)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var call = new Contracts.Decoder.V1.Decoder.DecoderClient(fleet.Decoder).EncodeImage(cancellationToken: cancellation);
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

        var responses = await call.ResponseStream.ReadAllAsync(cancellation).ToListAsync(cancellation);
        responses[0].Accepted.Version.Should().Be(fleet.Version);
        var assembler = new TensorAssembler(1 << 24);
        return responses.Skip(1).Select(response => assembler.Add(response.Tensor)).OfType<TensorBytes>().ToDictionary(tensor => tensor.Name);
    }

    // The same autoencoder, called as a library.
    private static (float[] Mean, float[] Std) Reference(Tensor image)
    {
        using var checkpoint = Checkpoint.Open(Path.Combine(Repository.OwnGolden, "models", "sd1"));
        using var autoencoder = AutoencoderKL.Load(checkpoint);
        using var inference = no_grad();
        var (mean, std) = autoencoder.Encode(image);
        return ((mean * ScalingFactor).data<float>().ToArray(), (std * ScalingFactor).data<float>().ToArray());
    }

    private static float[] Values(TensorBytes tensor) => MemoryMarshal.Cast<byte, float>(tensor.Data).ToArray();
}
