using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Client.Registry;

namespace Fleet.Cli.Doctor;

/// <summary>Whether the local registry opens and can tell the files of every version.</summary>
internal static class RegistryChecks
{
    public static async Task<IReadOnlyList<Finding>> AllAsync(EmbeddedSettings settings, CancellationToken cancellation)
    {
        if (!Directory.Exists(FleetHome.Registry))
        {
            return [Finding.Ok("registry", "empty: the first use creates it")];
        }

        try
        {
            await using var local = await EmbeddedFleet.StartRegistryAsync(settings, cancellation);
            using var client = new RegistryClient(local.Registry);
            return [await CheckAsync(client, cancellation)];
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return
            [
                Finding.Fault(
                    "registry", $"{FleetHome.Registry}: {Failure.From(exception).Message}", "move the folder away and push the models again"),
            ];
        }
    }

    private static async Task<Finding> CheckAsync(RegistryClient client, CancellationToken cancellation)
    {
        int versions = 0;
        long bytes = 0;
        await foreach (var version in client.ListAsync("", cancellation))
        {
            var manifest = await client.GetManifestAsync(version.Digest, cancellation);
            long files = manifest.Files.Sum(file => file.Size);
            if (files != version.Size || manifest.Files.Any(file => file.Parts.Sum(part => part.Size) != file.Size))
            {
                return Finding.Fault(
                    "registry", $"version {version.Digest} of {version.Model} has sizes that do not add up", "push this model again");
            }

            versions++;
            bytes += files;
        }

        return Finding.Ok("registry", $"{versions} versions, {Units.Bytes(bytes)} of files");
    }
}
