using System.Text.Json;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Safetensors;
using Fleet.Testing;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>Checkpoints in the original single-file layout: the map of names, and the outputs of the three components.</summary>
internal static class SingleFileCases
{
    public static void Compare(GoldenCase golden)
    {
        using var keyMap = JsonDocument.Parse(File.ReadAllBytes(golden.PathOf("keymap")));
        if (keyMap.RootElement.TryGetProperty("text_encoder_2", out var second) && second.EnumerateObject().Any())
        {
            throw new NotCoveredException("single files with two text encoders (SDXL) are not served yet");
        }

        using var folder = new TemporaryFolder();
        string file = LayOut(golden, folder);
        using var checkpoint = Checkpoint.Open(folder.Path);
        CompareKeyMap(keyMap.RootElement, checkpoint, SafetensorsHeader.Read(file));

        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        using var tensors = golden.OpenTensors();
        ComponentCases.CompareAll(golden, tensors, Outputs(checkpoint, tensors));
    }

    // The configs beside the file, as a person would lay them.
    private static string LayOut(GoldenCase golden, TemporaryFolder folder)
    {
        foreach (string config in Directory.GetFiles(golden.PathOf("configs"), "*.json", SearchOption.AllDirectories))
        {
            string target = folder[Path.GetRelativePath(golden.PathOf("configs"), config)];
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(config, target);
        }

        string file = folder["model.safetensors"];
        File.CreateSymbolicLink(file, golden.PathOf("file"));
        return file;
    }

    private static void CompareKeyMap(JsonElement keyMap, Checkpoint checkpoint, SafetensorsHeader header)
    {
        foreach (var component in keyMap.EnumerateObject().Where(c => c.Value.EnumerateObject().Any()))
        {
            var names = SingleFileLayout.Names(component.Name, checkpoint.Config(component.Name), header);
            foreach (var entry in component.Value.EnumerateObject())
            {
                names(entry.Name).ToString().Should().Be(entry.Value.GetString(), "that is where {0} of {1} is", entry.Name, component.Name);
            }
        }
    }

    private static Dictionary<string, Tensor> Outputs(Checkpoint checkpoint, GoldenTensors tensors)
    {
        var text = ClipTextModel.Load(checkpoint);
        var unet = UNet2DConditionModel.Load(checkpoint);
        var vae = AutoencoderKL.Load(checkpoint);
        var ids = tensors["text_encoder.in.input_ids"];
        var states = text.HiddenStates(ids);
        var got = new Dictionary<string, Tensor>
        {
            ["text_encoder.last_hidden_state"] = text.Encode(ids),
            ["unet.out"] = unet.forward(tensors["unet.in.sample"], tensors["unet.in.timestep"], tensors["unet.in.encoder_hidden_states"]),
            ["vae.moments"] = vae.Moments(tensors["vae.in.image"]),
            ["vae.decoded"] = vae.Decode(tensors["vae.in.z"]),
        };
        for (int i = 1; i <= states.Count; i++)
        {
            got[$"text_encoder.hidden_states.-{i}"] = states[^i];
        }

        return got;
    }
}
