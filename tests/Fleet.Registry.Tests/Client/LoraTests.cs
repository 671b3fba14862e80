using Fleet.Contracts.Registry.V1;
using Fleet.Safetensors;
using Grpc.Core;

namespace Fleet.Registry.Tests.Client;

public sealed class LoraTests : RegistryTest
{
    [Theory]
    [InlineData("sd1_kohya", "unknown")]
    [InlineData("sd1_kohya_mixed_alpha", "unknown")]
    [InlineData("sd1_peft", "unknown")]
    [InlineData("sd1_peft_metadata", "unknown")]
    [InlineData("sd1_diffusers_old", "unknown")]
    [InlineData("sdxl_kohya", "sdxl")]
    public async Task Push_OfALora_IsAVersionOfKindLora(string file, string family)
    {
        var pushed = await PushAsync(Golden("lora", file + ".safetensors"), "loras/test");

        pushed.Version.Traits.Kind.Should().Be("lora");
        pushed.Version.Traits.Family.Should().Be(family, "the golden models are too narrow to be told by their width");
        pushed.Version.Traits.Rank.Should().BeInRange(2, 8);
        pushed.Version.Traits.EmbeddingWidth.Should().BePositive();
        (await Client.GetManifestAsync(pushed.Version.Digest, Cancellation)).Files.Should().ContainSingle();
    }

    [Theory]
    [InlineData(768, "sd1")]
    [InlineData(1024, "sd2")]
    [InlineData(2048, "sdxl")]
    public async Task Push_OfALora_KnowsItsFamilyByTheWidthOfTheText(int width, string family)
    {
        string path = Write(("unet.attn2.to_k.lora_A.weight", [4, width]), ("unet.attn2.to_k.lora_B.weight", [320, 4]));

        var traits = (await PushAsync(path, "loras/test")).Version.Traits;

        traits.Should().Be(new VersionTraits
        {
            Kind = "lora",
            Family = family,
            Rank = 4,
            EmbeddingWidth = width,
            Parameters = 4L * (width + 320),
            Dtype = "F32",
        });
    }

    [Fact]
    public async Task Push_OfHalfALora_NamesTheLayer()
    {
        string path = Write(("a.lora_A.weight", [4, 8]), ("b.lora_A.weight", [4, 8]), ("b.lora_B.weight", [8, 4]));

        var push = () => PushAsync(path, "loras/test");

        (await push.Should().ThrowAsync<RpcException>().WithMessage("*the layer 'a' lacks one*")).Which.StatusCode.Should().Be(StatusCode.InvalidArgument);
    }

    [Fact]
    public async Task Push_OfMatricesThatDoNotMultiply_NamesTheirShapes()
    {
        string path = Write(("a.lora_A.weight", [4, 8]), ("a.lora_B.weight", [8, 2]));

        var push = () => PushAsync(path, "loras/test");

        await push.Should().ThrowAsync<RpcException>().WithMessage("*[4, 8] and [8, 2], which do not multiply*");
    }

    [Fact]
    public async Task Push_OfAnotherAdapterBesideALora_NamesTheTensor()
    {
        string path = Write(("a.lora_A.weight", [4, 8]), ("a.lora_B.weight", [8, 4]), ("a.hada_w1_a", [8, 4]));

        var push = () => PushAsync(path, "loras/test");

        await push.Should().ThrowAsync<RpcException>().WithMessage("*'a.hada_w1_a' is no matrix of a LoRA*");
    }

    private string Write(params (string Name, long[] Shape)[] tensors)
    {
        string path = Folder["lora.safetensors"];
        using var writer = new SafetensorsWriter(path, [.. tensors.Select(t => new SafetensorsDeclaration(t.Name, SafetensorsDType.F32, t.Shape))]);
        foreach (var tensor in tensors)
        {
            writer.Write(tensor.Name, new byte[4 * tensor.Shape.Aggregate((a, b) => a * b)]);
        }

        writer.Complete();
        return path;
    }
}
