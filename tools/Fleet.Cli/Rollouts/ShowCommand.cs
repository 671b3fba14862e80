using System.CommandLine;
using System.Globalization;
using Fleet.Cli.Fleets;
using Fleet.Cli.Models;
using Fleet.Cli.Terminal;
using Fleet.Client.Rollouts;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;

namespace Fleet.Cli.Rollouts;

/// <summary><c>fleet rollout show</c>: a rollout with its evidence.</summary>
internal static class ShowCommand
{
    private const int SamplesEach = 12;

    private static readonly Option<string?> Samples = ValueOption.Text(
        "--samples", "FOLDER", "Write thumbnails of the most distant and of the newest pairs there, as PNG");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "show",
            "Show a rollout: its state, replicas, counts, tests with their intervals, and every verdict",
            "fleet rollout show studio/fox",
            "fleet rollout show ro-0123456789ab --samples pairs",
            "fleet rollout show studio/fox --json")
        {
            RolloutArguments.Rollout,
            Samples,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var rollout = await registry.Rollouts.GetAsync(parsed.GetValue(RolloutArguments.Rollout)!, cancellation);

        output.Event(new RolloutEvent(RolloutJson.Of(rollout)));
        foreach (string line in RolloutText.Full(rollout))
        {
            output.Result(line);
        }

        if (parsed.GetValue(Samples) is { } folder)
        {
            Directory.CreateDirectory(folder);
            await WriteSamplesAsync(registry.Rollouts, rollout.Id, "worst", folder, output, cancellation);
            await WriteSamplesAsync(registry.Rollouts, rollout.Id, "newest", folder, output, cancellation);
        }

        return ExitCode.Success;
    }

    private static async Task WriteSamplesAsync(
        RolloutClient rollouts, string id, string which, string folder, Output output, CancellationToken cancellation)
    {
        var samples = await rollouts.ListSamplesAsync(id, worstFirst: which == "worst", SamplesEach, cancellation);
        for (int i = 0; i < samples.Count; i++)
        {
            var sample = samples[i];
            string name = string.Create(CultureInfo.InvariantCulture, $"{which}-{i + 1:00}-ssim-{sample.Distance.Ssim:0.000}-seed-{sample.Seed}");
            await WriteAsync(Path.Combine(folder, $"{name}-stable.png"), sample.StableThumbnail, output, cancellation);
            await WriteAsync(Path.Combine(folder, $"{name}-canary.png"), sample.CanaryThumbnail, output, cancellation);
        }
    }

    private static async Task WriteAsync(string path, ByteString png, Output output, CancellationToken cancellation)
    {
        if (png.Length > 0)
        {
            await File.WriteAllBytesAsync(path, png.Memory, cancellation);
            output.Event(new WrittenEvent(path, png.Length));
            output.Result(path);
        }
    }
}
