using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Gateway.Tests.Peers;

// Knows two versions: an ordinary model and an inpainting one.
internal sealed class RegistryPeer : Fleet.Contracts.Registry.V1.Registry.RegistryBase
{
    public static readonly string Digest = "sha256:" + new string('a', 64);

    private readonly Dictionary<string, Version> versions = new()
    {
        ["tiny"] = New("tiny", Digest, denoiserChannels: 4),
        ["tiny-inpaint"] = New("tiny-inpaint", "sha256:" + new string('b', 64), denoiserChannels: 9),
    };

    public List<string> References { get; } = [];

    public override Task<ResolveResponse> Resolve(ResolveRequest request, ServerCallContext context)
    {
        References.Add(request.Reference);
        var version = versions.Values.FirstOrDefault(version => request.Reference == version.Model || request.Reference == version.Digest);
        return version is null
            ? throw new RpcException(new Status(StatusCode.NotFound, $"There is no model '{request.Reference}'."))
            : Task.FromResult(new ResolveResponse { Version = version });
    }

    private static Version New(string model, string digest, int denoiserChannels) => new()
    {
        Model = model,
        Digest = digest,
        Traits = new VersionTraits
        {
            Family = "sd1",
            Scheduler = "PNDMScheduler",
            DefaultSize = 64,
            VaeScaleFactor = 8,
            LatentChannels = 4,
            DenoiserInChannels = denoiserChannels,
            TextEncoderLayers = 3,
        },
    };
}
