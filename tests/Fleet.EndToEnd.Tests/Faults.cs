using Fleet.Testing;

namespace Fleet.EndToEnd.Tests;

/// <summary>Ways to change a model, for good and for bad.</summary>
internal static class Faults
{
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
}
