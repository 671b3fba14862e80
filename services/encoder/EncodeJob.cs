using Fleet.Contracts.Encoder.V1;
using Fleet.Hosting;

namespace Fleet.Encoder;

/// <summary>A request whose fields are within the limits of encoder.proto. Clip skip is bounded by the version, too.</summary>
/// <param name="NegativePrompt">Null: none is wanted.</param>
internal sealed record EncodeJob(string Version, string Prompt, string? NegativePrompt, int ClipSkip)
{
    public static EncodeJob Parse(EncodeRequest request)
    {
        RequestRules.RequestId(request.RequestId);
        return new EncodeJob(
            RequestRules.VersionDigest(request.Version),
            RequestRules.Prompt("prompt", request.Prompt),
            request.WithoutNegative ? null : RequestRules.Prompt("negative_prompt", request.NegativePrompt),
            request.ClipSkip);
    }
}
