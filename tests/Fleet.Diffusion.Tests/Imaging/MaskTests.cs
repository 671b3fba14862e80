using Fleet.Diffusion.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Imaging;

public sealed class MaskTests
{
    [Fact]
    public void FromPicture_Pixels_AreCutAtHalfOfWhite()
    {
        using var scope = NewDisposeScope();
        var picture = new Picture(4, 1, [127, 127, 127, 128, 128, 128, 0, 255, 0, 255, 0, 0]);

        Mask.FromPicture(picture).data<float>().ToArray().Should().Equal(0, 1, 1, 0);
    }

    [Fact]
    public void ToLatentSize_Patches_TakeTheirFirstPixel()
    {
        using var scope = NewDisposeScope();
        var mask = zeros(1, 1, 4, 4);
        mask[0, 0, 0, 2] = 1;
        mask[0, 0, 3, 3] = 1;

        Mask.ToLatentSize(mask, 2, 2).data<float>().ToArray().Should().Equal(0, 1, 0, 0);
    }

    [Fact]
    public void Blank_MaskedPart_IsGrey()
    {
        using var scope = NewDisposeScope();
        var image = full([1, 3, 1, 2], -0.5f);
        var mask = tensor(new float[] { 0, 1 }, [1, 1, 1, 2]);

        Mask.Blank(image, mask).data<float>().ToArray().Should().Equal(-0.5f, 0, -0.5f, 0, -0.5f, 0);
    }
}
