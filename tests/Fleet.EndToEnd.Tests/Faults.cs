using Fleet.Safetensors;
using Fleet.Testing;

namespace Fleet.EndToEnd.Tests;

/// <summary>Ways to change a model, for good and for bad.</summary>
internal static class Faults
{
    // Blocks whose outputs are zero: the picture stays the same and the network takes several times as long.
    private const int Blocks = 12;

    private static readonly string[] Outputs = [".attn1.to_out.0.", ".attn2.to_out.0.", ".ff.net.2."];

    /// <summary>A fine-tune: the denoiser's attention changes by a thousandth.</summary>
    public static void FineTune(ModelFolder model) =>
        model.ChangeNumbers(ModelFolder.Unet, name => name.Contains("attn", StringComparison.Ordinal), number => number * 1.001f);

    public static void NotANumber(ModelFolder model) =>
        model.ChangeNumbers(ModelFolder.Unet, name => name == "conv_in.weight", _ => float.NaN);

    /// <summary>Weights that are finite and whose results are not.</summary>
    public static void Overflow(ModelFolder model) =>
        model.ChangeNumbers(ModelFolder.Unet, name => name.EndsWith("conv1.weight", StringComparison.Ordinal), _ => 3e38f);

    /// <summary>The autoencoder of another model: same shapes, other numbers.</summary>
    public static void SwappedAutoencoder(ModelFolder model)
    {
        var random = new Random(20261122);
        model.ChangeNumbers(
            ModelFolder.Vae,
            name => name.StartsWith("decoder.", StringComparison.Ordinal) && name.EndsWith("weight", StringComparison.Ordinal) && name.Contains("conv", StringComparison.Ordinal),
            number => random.Next(2) == 0 ? number : -number);
    }

    public static void WrongScheduler(ModelFolder model) => model.Set("scheduler/scheduler_config.json", "prediction_type", "v_prediction");

    /// <summary>The same pictures from a denoiser that takes much longer.</summary>
    public static void Slow(ModelFolder model)
    {
        var header = SafetensorsHeader.Read(model[ModelFolder.Unet]);
        byte[] content = File.ReadAllBytes(model[ModelFolder.Unet]);
        var tensors = header.Entries
            .Select(entry => (entry.Name, entry.DType, entry.Shape, Data: content.AsMemory((int)(header.DataStart + entry.Begin), (int)entry.ByteLength)))
            .ToList();
        foreach (var tensor in tensors.Where(tensor => tensor.Name.Contains(".transformer_blocks.0.", StringComparison.Ordinal)).ToList())
        {
            bool output = Outputs.Any(part => tensor.Name.Contains(part, StringComparison.Ordinal));
            for (int block = 1; block < Blocks; block++)
            {
                string name = tensor.Name.Replace(".transformer_blocks.0.", $".transformer_blocks.{block}.", StringComparison.Ordinal);
                tensors.Add((name, tensor.DType, tensor.Shape, output ? new byte[tensor.Data.Length] : tensor.Data));
            }
        }

        model.Set("unet/config.json", "transformer_layers_per_block", Blocks);
        using var writer = new SafetensorsWriter(
            model[ModelFolder.Unet], [.. tensors.Select(tensor => new SafetensorsDeclaration(tensor.Name, tensor.DType, tensor.Shape))]);
        foreach (var tensor in tensors)
        {
            writer.Write(tensor.Name, tensor.Data.Span);
        }

        writer.Complete();
    }
}
