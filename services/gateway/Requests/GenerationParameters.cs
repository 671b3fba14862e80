using Fleet.Contracts.Generation.V1;
using Fleet.Hosting;

namespace Fleet.Gateway.Requests;

/// <summary>What a caller asked for, checked as far as it can be without knowing the version.</summary>
internal sealed record GenerationParameters
{
    public const int MaxSize = 2048;
    public const int MaxCount = 16;
    public const long MaxFileBytes = 64L << 20;

    private const int MaxReferenceLength = 512;
    private const int MaxKeyLength = 256;
    private static readonly string[] SigmaNames = ["karras", "exponential", "beta"];
    private static readonly string[] SpacingNames = ["leading", "linspace", "trailing"];

    public required string Model { get; init; }

    public required string Prompt { get; init; }

    public required string NegativePrompt { get; init; }

    public required int? Width { get; init; }

    public required int? Height { get; init; }

    public required int Steps { get; init; }

    public required double GuidanceScale { get; init; }

    public required double GuidanceRescale { get; init; }

    public required long? Seed { get; init; }

    public required int Count { get; init; }

    public required string Scheduler { get; init; }

    public required string Sigmas { get; init; }

    public required string TimestepSpacing { get; init; }

    public required double? Eta { get; init; }

    public required int ClipSkip { get; init; }

    public required double? Strength { get; init; }

    public required int PreviewInterval { get; init; }

    /// <summary>Requests of one key are answered by one version of a model that is being rolled out; empty for the request id.</summary>
    public string StickyKey { get; init; } = "";

    /// <summary>"stable" or "canary" when a tester chose; empty when the rollout chooses.</summary>
    public string VersionPin { get; init; } = "";

    /// <summary>Hexadecimal SHA-256 of the file to start from; empty without one.</summary>
    public string InitImageSha256 { get; init; } = "";

    /// <summary>Hexadecimal SHA-256 of the mask file; empty without one.</summary>
    public string MaskSha256 { get; init; } = "";

    /// <param name="start">The request's first message.</param>
    /// <param name="pinOfCall">The pin in the call's metadata, which counts when the message has none.</param>
    /// <exception cref="InvalidRequestException">A field is outside what generation.proto allows.</exception>
    public static GenerationParameters Parse(GenerateStart start, string pinOfCall = "")
    {
        int count = start.HasCount ? RequestRules.Within("count", start.Count, 1, MaxCount) : 1;
        var scheduler = start.Scheduler;
        return new GenerationParameters
        {
            Model = Reference(start.Model),
            Prompt = RequestRules.Prompt("prompt", start.Prompt),
            NegativePrompt = RequestRules.Prompt("negative_prompt", start.NegativePrompt),
            Width = start.HasWidth ? Size("width", start.Width) : null,
            Height = start.HasHeight ? Size("height", start.Height) : null,
            Steps = start.HasSteps ? RequestRules.Within("steps", start.Steps, 1, 1000) : 20,
            GuidanceScale = start.HasGuidanceScale ? RequestRules.Within("guidance_scale", start.GuidanceScale, 0.0, 100.0) : 7.5,
            GuidanceRescale = RequestRules.Within("guidance_rescale", start.GuidanceRescale, 0.0, 1.0),
            Seed = start.HasSeed ? RequestRules.Seed("seed", start.Seed, count) : null,
            Count = count,
            Scheduler = scheduler?.Name ?? "",
            Sigmas = OneOf("scheduler.sigmas", scheduler?.Sigmas ?? "", SigmaNames),
            TimestepSpacing = OneOf("scheduler.timestep_spacing", scheduler?.TimestepSpacing ?? "", SpacingNames),
            Eta = scheduler is { HasEta: true } ? RequestRules.Within("scheduler.eta", scheduler.Eta, 0.0, 1.0) : null,
            ClipSkip = RequestRules.Within("clip_skip", start.ClipSkip, 0, 1000),
            Strength = start.Init is { } init ? ParseInit(init) : null,
            PreviewInterval = RequestRules.Within("preview_interval", start.PreviewInterval, 0, 1000),
            StickyKey = Key(start.StickyKey),
            VersionPin = Pin(start.VersionPin is "" ? pinOfCall : start.VersionPin),
        };
    }

    /// <summary>The first field in which another request differs, as the proto spells it; null when none does.</summary>
    public string? FirstDifference(GenerationParameters other) =>
        Fields().Zip(other.Fields()).FirstOrDefault(pair => !Equals(pair.First.Value, pair.Second.Value)).First.Name;

    private IEnumerable<(string Name, object? Value)> Fields() =>
    [
        ("model", Model),
        ("prompt", Prompt),
        ("negative_prompt", NegativePrompt),
        ("width", Width),
        ("height", Height),
        ("steps", Steps),
        ("guidance_scale", GuidanceScale),
        ("guidance_rescale", GuidanceRescale),
        ("seed", Seed),
        ("count", Count),
        ("scheduler.name", Scheduler),
        ("scheduler.sigmas", Sigmas),
        ("scheduler.timestep_spacing", TimestepSpacing),
        ("scheduler.eta", Eta),
        ("clip_skip", ClipSkip),
        ("init.strength", Strength),
        ("preview_interval", PreviewInterval),
        ("init image", InitImageSha256),
        ("mask", MaskSha256),
        ("sticky_key", StickyKey),
        ("version_pin", VersionPin),
    ];

    private static double ParseInit(InitImage init)
    {
        FileLength("init.image_byte_length", init.ImageByteLength, 1);
        FileLength("init.mask_byte_length", init.MaskByteLength, 0);
        if (!init.HasStrength)
        {
            return 0.75;
        }

        return init.Strength is > 0 and <= 1
            ? init.Strength
            : throw new InvalidRequestException("init.strength", init.Strength, "give a number above 0, up to 1");
    }

    private static void FileLength(string field, long value, long minimum)
    {
        if (value < minimum || value > MaxFileBytes)
        {
            throw new InvalidRequestException(field, value, $"give a file of {minimum} to {MaxFileBytes} bytes");
        }
    }

    private static string Reference(string value) =>
        value.Length <= MaxReferenceLength
            ? value
            : throw new InvalidRequestException("model", value, "give 'model', 'model@alias', 'model@sha256:...' or 'sha256:...'");

    private static string Key(string value) =>
        value.Length <= MaxKeyLength ? value : throw new InvalidRequestException("sticky_key", value, $"give at most {MaxKeyLength} characters");

    private static string Pin(string value) =>
        value is "" or "stable" or "canary"
            ? value
            : throw new InvalidRequestException("version_pin", value, "give 'stable' or 'canary', or leave it out for the rollout's choice");

    private static int Size(string field, int value) =>
        value is >= 8 and <= MaxSize && value % 8 == 0
            ? value
            : throw new InvalidRequestException(field, value, $"give a multiple of 8 from 8 to {MaxSize} pixels");

    private static string OneOf(string field, string value, string[] names) =>
        value is "" || names.Contains(value)
            ? value
            : throw new InvalidRequestException(field, value, $"give one of {string.Join(", ", names)}, or leave it out for the scheduler's own");
}
