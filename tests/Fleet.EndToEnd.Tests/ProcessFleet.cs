using Fleet.Client;
using Fleet.Client.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Testing;
using Grpc.Net.Client;

namespace Fleet.EndToEnd.Tests;

/// <summary>All five services, each a process of its own. The small model of the golden set is the stable version.</summary>
internal sealed class ProcessFleet : IAsyncDisposable
{
    public const string Model = "studio/tiny";

    private readonly TemporaryFolder folder = new();
    private readonly Dictionary<string, ServiceProcess> services = [];
    private GrpcChannel? registryChannel;

    public FleetClient Client { get; private set; } = null!;

    public RegistryClient Models { get; private set; } = null!;

    public Rollouts.RolloutsClient Rollouts { get; private set; } = null!;

    public Audit.AuditClient Audit { get; private set; } = null!;

    /// <summary>Digest of the version that was stable when the fleet started.</summary>
    public string Stable { get; private set; } = "";

    public ServiceProcess this[string service] => services[service];

    public static async Task<ProcessFleet> StartAsync(ModelFolderChange? stable = null)
    {
        var fleet = new ProcessFleet();
        try
        {
            await fleet.StartServicesAsync(stable);
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>Pushes a changed copy of the small model. Returns the version's digest.</summary>
    public async Task<string> PushAsync(string name, ModelFolderChange change, params string[] aliases)
    {
        var model = new ModelFolder(folder[name]);
        change(model);
        return (await Models.PushAsync(model.FullPath, Model, aliases)).Version.Digest;
    }

    /// <summary>The file of the registry that holds a blob.</summary>
    public string BlobFile(Google.Protobuf.ByteString sha256)
    {
        string hex = Convert.ToHexStringLower(sha256.Span);
        return Directory.EnumerateFiles(folder["registry"], hex, SearchOption.AllDirectories).Single();
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        Models?.Dispose();
        registryChannel?.Dispose();
        foreach (var service in services.Values.Reverse())
        {
            await service.DisposeAsync();
        }

        folder.Dispose();
    }

    private async Task StartServicesAsync(ModelFolderChange? stable)
    {
        string registry = await StartAsync("registry", $"--Registry:DataPath={folder["registry"]}");
        registryChannel = GrpcChannel.ForAddress(registry);
        Models = new RegistryClient(registry);
        Rollouts = new Rollouts.RolloutsClient(registryChannel);
        Audit = new Audit.AuditClient(registryChannel);
        Stable = await PushAsync("stable", stable ?? (_ => { }), "stable");

        string[] stage = [$"--Registry:Address={registry}", $"--Store:Path={folder["store"]}", "--Slice:Threads=1"];
        string encoder = await StartAsync("encoder", stage);
        string decoder = await StartAsync("decoder", stage);
        string denoiser = await StartAsync("denoiser", [.. stage, $"--Decoder:Address={decoder}"]);
        string gateway = await StartAsync(
            "gateway", $"--Stages:Registry={registry}", $"--Stages:Encoder={encoder}", $"--Stages:Decoder={decoder}", $"--Stages:Denoiser={denoiser}",
            $"--Gateway:DefaultModel={Model}");
        Client = new FleetClient(gateway);
    }

    private async Task<string> StartAsync(string service, params string[] settings)
    {
        services[service] = await ServiceProcess.StartAsync(service, settings);
        return services[service].Address;
    }
}

/// <summary>What is done to a copy of the small model before it is pushed.</summary>
internal delegate void ModelFolderChange(ModelFolder model);
