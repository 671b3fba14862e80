using Fleet.Diffusion.Models;
using Fleet.Diffusion.Tokenization;
using Fleet.Diffusion.Weights;
using Fleet.Safetensors;
using Fleet.Testing;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Weights;

public sealed class ModelPartsTests : IDisposable
{
    private readonly TemporaryFolder store = new();

    public void Dispose() => store.Dispose();

    [Theory]
    [InlineData("unet")]
    [InlineData("unet_sd2_sharded")]
    [InlineData("unet_sd2_fp16")]
    public void Load_FromParts_GivesTheWeightsOfTheFolder(string component)
    {
        string folder = CheckpointFiles.Golden(component == "unet" ? "sd1" : "variants");
        using var whole = Checkpoint.Open(folder);
        using var parts = Checkpoint.Open(PartFiles.Of(folder, store));

        using var expected = UNet2DConditionModel.Load(whole, component);
        using var loaded = UNet2DConditionModel.Load(parts, component);

        Weights(loaded).Should().BeEquivalentTo(Weights(expected));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Load_FromPartsOfASingleFile_GivesTheWeightsOfTheFile(bool openClip)
    {
        using var folder = CheckpointFiles.Copy(openClip ? "sd2" : "sd1");
        CheckpointFiles.WriteSingleFile(folder.Path, folder["model.safetensors"], openClip);
        Array.ForEach([CheckpointFiles.UNetWeights, CheckpointFiles.VaeWeights, CheckpointFiles.TextWeights], weights => File.Delete(folder[weights]));
        using var whole = Checkpoint.Open(folder.Path);
        using var parts = Checkpoint.Open(PartFiles.Of(folder.Path, store));

        using var expected = ClipTextModel.Load(whole);
        using var loaded = ClipTextModel.Load(parts);

        Weights(loaded).Should().BeEquivalentTo(Weights(expected));
    }

    [Fact]
    public void Load_FilesDType_MapsEachTensorsPart()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mappings are looked up in /proc");
        using var checkpoint = Checkpoint.Open(PartFiles.Of(CheckpointFiles.Golden("sd1"), store));

        using var vae = AutoencoderKL.Load(checkpoint);

        var mapped = File.ReadAllLines("/proc/self/maps").Where(line => line.Contains(store.Path, StringComparison.Ordinal)).Select(line => line[line.IndexOf('/')..]).Distinct();
        using var file = SafetensorsFile.Open(Path.Combine(CheckpointFiles.Golden("sd1"), CheckpointFiles.VaeWeights));
        mapped.Count().Should().Be(file.Header.Entries.Select(entry => Convert.ToHexString(file.Read(entry.Name).bytes)).Distinct().Count());
    }

    [Fact]
    public void Tokenizer_FromParts_IsThatOfTheFolder()
    {
        var parts = PartFiles.Of(CheckpointFiles.Golden("sd1"), store);

        var tokenizer = ClipTokenizer.Load(parts, "tokenizer/");

        tokenizer.Encode("a red boat").Should().Equal(ClipTokenizer.Load(Path.Combine(CheckpointFiles.Golden("sd1"), "tokenizer")).Encode("a red boat"));
    }

    [Fact]
    public void Config_DamagedJsonInAPart_NamesTheFileAndNotThePart()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        File.WriteAllText(folder["unet", "config.json"], """{"in_channels": """);
        using var checkpoint = Checkpoint.Open(PartFiles.Of(folder.Path, store));

        FluentActions.Invoking(() => checkpoint.Config("unet")).Should().Throw<CheckpointException>().WithMessage("unet/config.json is not valid JSON*");
    }

    [Fact]
    public void Open_PartsThatAreNotTheTensors_IsRefused()
    {
        string path = Path.Combine(CheckpointFiles.Golden("sd1"), CheckpointFiles.VaeWeights);
        var parts = new[] { new FilePart("header", path, SafetensorsHeader.Read(path).DataStart), new FilePart("rest", path, new FileInfo(path).Length - SafetensorsHeader.Read(path).DataStart) };

        FluentActions.Invoking(() => SafetensorsFile.Join("vae.safetensors", parts))
            .Should().Throw<SafetensorsFormatException>().WithMessage("vae.safetensors*2 parts are not its header and its * tensors*");
    }

    private static Dictionary<string, string> Weights(nn.Module model) =>
        model.named_parameters().ToDictionary(p => p.name, p => Convert.ToHexString(p.parameter.bytes));
}
