using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Gateway.Tests.Peers;

// Knows an ordinary model with two versions, and an inpainting one.
internal sealed class RegistryPeer : Fleet.Contracts.Registry.V1.Registry.RegistryBase
{
    public static readonly string Digest = "sha256:" + new string('a', 64);

    public static readonly string CanaryDigest = "sha256:" + new string('c', 64);

    private readonly Dictionary<string, Version> versions = new()
    {
        ["tiny"] = Stable,
        ["tiny's next"] = Canary,
        ["tiny-inpaint"] = New("tiny-inpaint", "sha256:" + new string('b', 64), denoiserChannels: 9),
    };

    public static Version Stable => New("tiny", Digest, denoiserChannels: 4);

    public static Version Canary => New("tiny", CanaryDigest, denoiserChannels: 4);

    public List<string> References { get; } = [];

    public override Task<ResolveResponse> Resolve(ResolveRequest request, ServerCallContext context)
    {
        References.Add(request.Reference);
        var version = versions.Values.FirstOrDefault(version =>
            request.Reference == version.Model || request.Reference == $"{version.Model}@stable" || request.Reference == version.Digest);
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
