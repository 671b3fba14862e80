using System.Text.Json;
using System.Text.RegularExpressions;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>Forward passes of single components, with the outputs of their inner blocks.</summary>
internal static partial class ComponentCases
{
    private static readonly string[] UNetInputs = ["sample", "timestep", "encoder_hidden_states", "timestep_cond"];

    public static void Compare(GoldenCase golden)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        using var tensors = golden.OpenTensors();
        string component = golden.Text("component")!;
        var got = component switch
        {
            "CLIPTextModel" or "CLIPTextModelWithProjection" => Text(golden, tensors),
            "UNet2DConditionModel" => UNet(golden, tensors),
            "AutoencoderKL" => Autoencoder(golden, tensors),
            _ => throw new NotCoveredException($"{component} is not served yet"),
        };
        CompareAll(golden, tensors, got);
    }

    /// <summary>Compares every expected tensor of the case; one that nothing was computed for is a failure.</summary>
    public static void CompareAll(GoldenCase golden, GoldenTensors tensors, IReadOnlyDictionary<string, Tensor> got)
    {
        var tolerance = Tolerance.Of(golden);
        foreach (string name in tensors.Names.Where(name => !IsInput(name)))
        {
            got.Should().ContainKey(name, "the case expects it");
            tolerance.Check(got[name], tensors[name], name);
        }
    }

    public static bool IsInput(string name) => name.StartsWith("in.", StringComparison.Ordinal) || name.Contains(".in.", StringComparison.Ordinal);

    private static Dictionary<string, Tensor> Text(GoldenCase golden, GoldenTensors tensors)
    {
        using var checkpoint = OpenParent(golden, out string component);
        var model = ClipTextModel.Load(checkpoint, component);
        var ids = tensors["in.input_ids"];
        var last = model.Encode(ids);
        var pooled = model.Pool(last, ids);
        var got = new Dictionary<string, Tensor>
        {
            ["last_hidden_state"] = last,
            ["pooler_output"] = pooled,
            ["text_embeds"] = pooled,
            ["with_mask.last_hidden_state"] = model.Encode(ids, attentionMask: tensors["in.attention_mask"]),
        };
        var states = model.HiddenStates(ids);
        for (int i = 0; i < states.Count; i++)
        {
            got[$"hidden_states.{i}"] = states[i];
        }

        for (int skip = 1; skip < model.Config.NumHiddenLayers; skip++)
        {
            got[$"clip_skip{skip}.final_layer_norm_of_hidden_states[-{skip + 1}]"] = model.Encode(ids, skip);
        }

        return got;
    }

    private static Dictionary<string, Tensor> UNet(GoldenCase golden, GoldenTensors tensors)
    {
        using var checkpoint = OpenParent(golden, out string component);
        RefuseLaterFamily(checkpoint.Config(component));
        var model = UNet2DConditionModel.Load(checkpoint, component);
        var recorder = new BlockRecorder(model);
        var got = new Dictionary<string, Tensor>();
        foreach (string run in Runs(tensors))
        {
            string[] unknown = [.. tensors.Names.Where(n => n.StartsWith($"{run}.in.", StringComparison.Ordinal) && !UNetInputs.Contains(n[$"{run}.in.".Length..]))];
            unknown.Should().BeEmpty("every input is passed to the network");
            string condition = $"{run}.in.timestep_cond";
            got[$"{run}.out"] = model.forward(
                tensors[$"{run}.in.sample"],
                tensors[$"{run}.in.timestep"],
                tensors[$"{run}.in.encoder_hidden_states"],
                tensors.Has(condition) ? tensors[condition] : null);
            AddBlocks(got, recorder, $"{run}.block.", "");
        }

        return got;
    }

    private static Dictionary<string, Tensor> Autoencoder(GoldenCase golden, GoldenTensors tensors)
    {
        using var checkpoint = OpenParent(golden, out string component);
        var model = AutoencoderKL.Load(checkpoint, component);
        var recorder = new BlockRecorder(model);
        var got = new Dictionary<string, Tensor>();
        foreach (string run in Runs(tensors))
        {
            var image = tensors[$"{run}.in.image"];
            var (mean, std) = model.Encode(image);
            got[$"{run}.moments"] = model.Moments(image);
            got[$"{run}.mean"] = mean;
            got[$"{run}.std"] = std;
            got[$"{run}.sample"] = mean + std * tensors[$"{run}.in.noise"];
            got[$"{run}.roundtrip_mode"] = model.Decode(mean);
            got[$"{run}.decoded"] = model.Decode(tensors[$"{run}.in.z"]);
            AddBlocks(got, recorder, $"{run}.decoder_block.", "decoder.");
        }

        if (tensors.Has("tiled.in.z"))
        {
            int tile = golden.Json.GetProperty("tiling").GetProperty("tile_sample_min_size").GetInt32();
            got["tiled.decoded"] = model.DecodeTiled(tensors["tiled.in.z"], tile);
            got["tiled.untiled_for_comparison"] = model.Decode(tensors["tiled.in.z"]);
        }

        return got;
    }

    private static void AddBlocks(Dictionary<string, Tensor> got, BlockRecorder recorder, string prefix, string path)
    {
        foreach (var (name, output) in recorder.Outputs.Where(o => o.Key.StartsWith(path, StringComparison.Ordinal)))
        {
            got[prefix + name[path.Length..]] = output;
        }
    }

    private static void RefuseLaterFamily(JsonElement config)
    {
        if (config.TryGetProperty("addition_embed_type", out var addition) && addition.ValueKind == JsonValueKind.String)
        {
            throw new NotCoveredException($"a UNet with addition_embed_type {addition.GetString()} (SDXL) is not served yet");
        }
    }

    // A case names the folder of one component: the folder above it is opened as the checkpoint.
    private static Checkpoint OpenParent(GoldenCase golden, out string component)
    {
        string folder = golden.PathOf("model");
        component = Path.GetFileName(folder);
        return Checkpoint.Open(Path.GetDirectoryName(folder)!);
    }

    private static IEnumerable<string> Runs(GoldenTensors tensors) =>
        tensors.Names.Select(name => RunName().Match(name)).Where(match => match.Success).Select(match => match.Groups[1].Value).Distinct();

    [GeneratedRegex(@"^(r\d+)\.in\.")]
    private static partial Regex RunName();
}
