using System.Security.Cryptography;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Generation.V1;
using InitImage = Fleet.Contracts.Generation.V1.InitImage;

namespace Fleet.Client;

/// <summary>What to make. Only the prompt is required; bounds are those of <c>generation.proto</c> and are checked by the server.</summary>
public sealed record GenerationRequest
{
    /// <summary>What the picture shows.</summary>
    public required string Prompt { get; init; }

    /// <summary>What the picture should not show.</summary>
    public string NegativePrompt { get; init; } = "";

    /// <summary>"model", "model@alias", "model@sha256:..." or "sha256:...". Null: the fleet's default.</summary>
    public string? Model { get; init; }

    /// <summary>Pixels, a multiple of 8. Null: the version's default.</summary>
    public int? Width { get; init; }

    /// <summary>Pixels, a multiple of 8. Null: the version's default.</summary>
    public int? Height { get; init; }

    /// <summary>Denoising steps. Null: 20.</summary>
    public int? Steps { get; init; }

    /// <summary>How strongly the prompt counts, 0 to 100. Null: 7.5.</summary>
    public double? GuidanceScale { get; init; }

    /// <summary>Rescale of the guided prediction, 0 to 1.</summary>
    public double GuidanceRescale { get; init; }

    /// <summary>Seed of the first picture; picture i uses seed + i. Null: the server derives one from the request id.</summary>
    public long? Seed { get; init; }

    /// <summary>Pictures to make. Null: 1.</summary>
    public int? Count { get; init; }

    /// <summary>Name of a scheduler. Null: the version's own.</summary>
    public string? Scheduler { get; init; }

    /// <summary>"karras", "exponential" or "beta". Null: the scheduler's own.</summary>
    public string? Sigmas { get; init; }

    /// <summary>"leading", "linspace" or "trailing". Null: the scheduler's own.</summary>
    public string? TimestepSpacing { get; init; }

    /// <summary>Noise that DDIM and TCD put back, 0 to 1. Null: the scheduler's own.</summary>
    public double? Eta { get; init; }

    /// <summary>How many of the text encoder's last layers to leave out.</summary>
    public int ClipSkip { get; init; }

    /// <summary>File to start from: PNG, JPEG or WebP. Null: pure noise.</summary>
    public ReadOnlyMemory<byte>? InitImage { get; init; }

    /// <summary>Mask file, white where the picture is repainted; needs an init image.</summary>
    public ReadOnlyMemory<byte>? Mask { get; init; }

    /// <summary>How much of the schedule is run with an init image: above 0, up to 1. Null: 0.75.</summary>
    public double? Strength { get; init; }

    /// <summary>A preview every so many steps. 0: none.</summary>
    public int PreviewInterval { get; init; }

    /// <summary>While the model is being rolled out: requests of one key are answered by one version. Null: each request by itself.</summary>
    public string? StickyKey { get; init; }

    /// <summary>While the model is being rolled out: "stable" or "canary", for testers. Null: the rollout chooses.</summary>
    public string? VersionPin { get; init; }

    /// <summary>Idempotency key. Null: the client makes one up and keeps it over its own retries.</summary>
    public string? RequestId { get; init; }

    /// <summary>Time for the whole generation. Null: <see cref="FleetClientOptions.Timeout"/>.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>The request that makes a recipe's picture again, byte for byte.</summary>
    /// <param name="recipe">The record of a receipt or of an image file.</param>
    /// <param name="initImage">The init image that the recipe names by its hash, when it names one.</param>
    /// <param name="mask">The mask that the recipe names by its hash, when it names one.</param>
    /// <exception cref="ArgumentException">A file that the recipe names is missing, another one, or not wanted.</exception>
    public static GenerationRequest FromRecipe(
        Recipe recipe, ReadOnlyMemory<byte>? initImage = null, ReadOnlyMemory<byte>? mask = null)
    {
        RequireFile(recipe.InitImageSha256, initImage, nameof(initImage));
        RequireFile(recipe.MaskSha256, mask, nameof(mask));
        return new GenerationRequest
        {
            Prompt = recipe.Prompt,
            NegativePrompt = recipe.NegativePrompt,
            Model = recipe.Version,
            Width = recipe.Width,
            Height = recipe.Height,
            Steps = recipe.Steps,
            GuidanceScale = recipe.GuidanceScale,
            GuidanceRescale = recipe.GuidanceRescale,
            Seed = recipe.Seed,
            Count = 1,
            Scheduler = recipe.Scheduler,
            Sigmas = recipe.Sigmas,
            TimestepSpacing = recipe.TimestepSpacing,
            Eta = recipe.HasEta ? recipe.Eta : null,
            ClipSkip = recipe.ClipSkip,
            InitImage = initImage,
            Mask = mask,
            Strength = recipe.HasStrength ? recipe.Strength : null,
        };
    }

    internal GenerateStart ToStart(string requestId)
    {
        var start = new GenerateStart
        {
            RequestId = requestId,
            Model = Model ?? "",
            Prompt = Prompt,
            NegativePrompt = NegativePrompt,
            GuidanceRescale = GuidanceRescale,
            Scheduler = new SchedulerChoice
            {
                Name = Scheduler ?? "",
                Sigmas = Sigmas ?? "",
                TimestepSpacing = TimestepSpacing ?? "",
            },
            ClipSkip = ClipSkip,
            PreviewInterval = PreviewInterval,
            StickyKey = StickyKey ?? "",
            VersionPin = VersionPin ?? "",
        };

        if (Width is { } width)
        {
            start.Width = width;
        }

        if (Height is { } height)
        {
            start.Height = height;
        }

        if (Steps is { } steps)
        {
            start.Steps = steps;
        }

        if (Count is { } count)
        {
            start.Count = count;
        }

        if (GuidanceScale is { } scale)
        {
            start.GuidanceScale = scale;
        }

        if (Seed is { } seed)
        {
            start.Seed = seed;
        }

        if (Eta is { } eta)
        {
            start.Scheduler.Eta = eta;
        }

        if (InitImage is { } image)
        {
            start.Init = new InitImage { ImageByteLength = image.Length, MaskByteLength = Mask?.Length ?? 0 };
            if (Strength is { } strength)
            {
                start.Init.Strength = strength;
            }
        }

        return start;
    }

    internal void Check()
    {
        if (InitImage is null && (Mask is not null || Strength is not null))
        {
            throw new FleetInvalidRequestException("A mask and a strength need an init image; set InitImage, or leave both out.");
        }
    }

    private static void RequireFile(string sha256, ReadOnlyMemory<byte>? file, string name)
    {
        if (file is null && sha256 is not "")
        {
            throw new ArgumentException($"The recipe starts from a file with SHA-256 {sha256}; give its bytes.", name);
        }

        if (file is { } given)
        {
            string actual = Convert.ToHexStringLower(SHA256.HashData(given.Span));
            if (actual != sha256)
            {
                string expected = sha256 is "" ? "no such file" : $"one with SHA-256 {sha256}";
                throw new ArgumentException($"The file has SHA-256 {actual}; the recipe names {expected}.", name);
            }
        }
    }
}
