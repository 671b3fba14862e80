using System.Buffers.Binary;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Recipes;
using Fleet.Gateway.Requests;
using Fleet.Gateway.Stages;
using Fleet.Hosting;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Gateway.Planning;

/// <summary>Settles a request for a version: checks what only the version can say, and fills in what it decides.</summary>
internal sealed class GenerationPlanner(SchedulerCatalog schedulers)
{
    private const int MaxLatentSize = 512; // denoiser.proto
    private static readonly string FleetVersion = Assembly.GetExecutingAssembly().GetName().Version!.ToString(3);

    /// <exception cref="InvalidRequestException">The version cannot make what was asked.</exception>
    public async Task<GenerationPlan> PlanAsync(
        GenerationParameters parameters, Version version, StageCalls calls, CancellationToken cancellationToken)
    {
        var traits = version.Traits ?? new VersionTraits();
        RequirePipeline(version, traits);
        var scheduler = await calls.RunAsync(
            "denoiser", _ => schedulers.FindAsync(parameters.Scheduler, traits.Scheduler, cancellationToken), cancellationToken);
        CheckClipSkip(parameters, version, traits);
        CheckInpainting(parameters, version, traits);

        int scale = Math.Max(traits.VaeScaleFactor, 1);
        var recipe = new Recipe
        {
            Schema = 1,
            Model = version.Model,
            Version = version.Digest,
            Prompt = parameters.Prompt,
            NegativePrompt = parameters.NegativePrompt,
            Width = Size("width", parameters.Width, traits, scale),
            Height = Size("height", parameters.Height, traits, scale),
            Steps = parameters.Steps,
            GuidanceScale = parameters.GuidanceScale,
            GuidanceRescale = parameters.GuidanceRescale,
            Seed = parameters.Seed ?? SeedOf(calls.RequestId),
            Scheduler = parameters.Scheduler, // no name where none was given: naming a version's own could change its settings
            Sigmas = parameters.Sigmas,
            TimestepSpacing = parameters.TimestepSpacing,
            ClipSkip = parameters.ClipSkip,
            InitImageSha256 = parameters.InitImageSha256,
            MaskSha256 = parameters.MaskSha256,
            Fleet = FleetVersion,
        };

        if (parameters.Eta is { } eta)
        {
            recipe.Eta = eta;
        }

        if (parameters.Strength is { } strength)
        {
            recipe.Strength = strength;
        }

        var output = new ImageOutput { Format = ImageFormat.Png, Text = { RecipeRecords.For(recipe, SamplerNames.Sampler(scheduler?.Name ?? traits.Scheduler)) } };
        return new GenerationPlan(parameters, recipe, scale, output);
    }

    private static void RequirePipeline(Version version, VersionTraits traits)
    {
        if (traits.Kind is not ("" or "pipeline"))
        {
            throw new InvalidRequestException(
                "model", version.Model, $"name a model that makes pictures; version {version.Digest} of this one is of kind '{traits.Kind}'");
        }
    }

    private static int Size(string field, int? asked, VersionTraits traits, int scale)
    {
        int size = asked ?? traits.DefaultSize;
        int largest = Math.Min(GenerationParameters.MaxSize, MaxLatentSize * scale);
        return size >= 8 && size <= largest && size % scale == 0 && size % 8 == 0
            ? size
            : throw new InvalidRequestException(field, size, $"give a multiple of {Math.Max(scale, 8)} up to {largest} pixels, as this version needs it");
    }

    private static void CheckClipSkip(GenerationParameters parameters, Version version, VersionTraits traits)
    {
        int layers = traits.TextEncoderLayers;
        if (layers > 0 && parameters.ClipSkip >= layers)
        {
            throw new InvalidRequestException(
                "clip_skip", parameters.ClipSkip, $"give 0 to {layers - 1}: the text encoder of '{version.Model}' has {layers} layers");
        }
    }

    // The denoiser of an inpainting model takes the mask and the masked picture beside the latents: 2 c + 1 channels.
    private static void CheckInpainting(GenerationParameters parameters, Version version, VersionTraits traits)
    {
        bool inpaintingModel = traits.LatentChannels > 0 && traits.DenoiserInChannels == 2 * traits.LatentChannels + 1;
        if (inpaintingModel && parameters.MaskSha256 is "")
        {
            throw new InvalidRequestException(
                "init", parameters.InitImageSha256 is "" ? null : "without a mask", $"give an image and a mask: '{version.Model}' is an inpainting model");
        }
    }

    // From the id and not from chance: the same id sent to another gateway after this one died means the same picture.
    private static long SeedOf(string requestId) =>
        BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(requestId)));
}
