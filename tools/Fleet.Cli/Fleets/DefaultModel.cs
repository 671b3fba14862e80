using Fleet.Cli.Terminal;
using Fleet.Client.Registry;

namespace Fleet.Cli.Fleets;

/// <summary>The model of a request that names none: <c>FLEET_MODEL</c>, else the tiny one that comes with the program.</summary>
internal static class DefaultModel
{
    public const string Variable = "FLEET_MODEL";
    public const string Tiny = "fleet/tiny";

    /// <summary>Where the model lies that comes with the program.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "models", "tiny");

    /// <summary>The embedded gateway's default.</summary>
    public static string Reference { get; } = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } chosen ? chosen : Tiny;

    /// <summary>Whether a request for this model means the one that comes with the program.</summary>
    public static bool IsMeantBy(string? model) => (model ?? Reference).Split('@')[0] == Tiny;

    /// <summary>Publishes the model that comes with the program, when the registry has none of that name.</summary>
    public static async Task EnsureAsync(string registry, Output output, CancellationToken cancellation)
    {
        using var client = new RegistryClient(registry);
        if (await client.ListAsync(Tiny, cancellation).AnyAsync(cancellation))
        {
            return;
        }

        output.Notice($"First use: publishing the model {Tiny} in {FleetHome.Folder}");
        await client.PushAsync(
            Folder,
            Tiny,
            ["stable"],
            "Random weights: its pictures are noise.",
            cancellationToken: cancellation);
    }

    /// <summary>Says that the model's pictures are noise, when it is that model.</summary>
    public static void SayWhatItIs(string model, Output output)
    {
        if (model == Tiny)
        {
            output.Notice($"{Tiny} has random weights: this is noise. A real model is one 'fleet models push' away");
        }
    }
}
