using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Client;

namespace Fleet.Cli.Generate;

/// <summary>The arguments of <c>fleet generate</c>. Bounds are the gateway's to check; the types are checked here.</summary>
internal static class GenerateOptions
{
    public static readonly Argument<string> Prompt = new("prompt")
    {
        Description = "What the picture shows; '-' reads it from standard input. (word:1.2), [word] and BREAK are understood",
    };

    public static readonly Option<string?> NegativePrompt = ValueOption.Text("--negative", "TEXT", "What the picture should not show", "-n");

    public static readonly Option<string?> Model = ValueOption.Text(
        "--model", "MODEL", "MODEL, MODEL@ALIAS or sha256:DIGEST, as 'fleet models list' shows them [default: the fleet's]", "-m");

    public static readonly Option<int?> Steps = ValueOption.Integer("--steps", "N", "Denoising steps, 1 to 1000 [default: 20]", "-s");

    public static readonly Option<double?> Guidance = ValueOption.Number(
        "--guidance", "X", "How strongly the prompt counts, 0 to 100; 1 turns guidance off [default: 7.5]", "-g");

    public static readonly Option<double?> GuidanceRescale = ValueOption.Number(
        "--guidance-rescale", "X", "Rescale of the guided prediction, 0 to 1; about 0.7 suits v-prediction models [default: 0]");

    public static readonly Option<long?> Seed = ValueOption.Long(
        "--seed", "N", "Seed of the first picture; picture i uses seed + i [default: drawn by the fleet]");

    public static readonly Option<(int Width, int Height)?> Size = ValueOption.Size(
        "--size", "Width and height in pixels, multiples of 8, up to 2048 [default: the model's]");

    public static readonly Option<int?> Width = ValueOption.Integer("--width", "PX", "Width alone", "-W");

    public static readonly Option<int?> Height = ValueOption.Integer("--height", "PX", "Height alone", "-H");

    public static readonly Option<int?> Count = ValueOption.Integer("--count", "N", "Pictures to make, 1 to 16 [default: 1]", "-c");

    public static readonly Option<string?> Sampler = ValueOption.Text(
        "--sampler", "NAME", "Sampler, as 'fleet samplers' lists them [default: the model's]");

    public static readonly Option<string?> Schedule = ValueOption.Text(
        "--schedule", "NAME", "Spacing of the noise levels: karras, exponential or beta [default: the sampler's]");

    public static readonly Option<string?> Spacing = ValueOption.Text(
        "--spacing", "NAME", "Spacing of the timesteps: leading, linspace or trailing [default: the sampler's]");

    public static readonly Option<double?> Eta = ValueOption.Number("--eta", "X", "Noise that ddim and tcd put back, 0 to 1 [default: the sampler's]");

    public static readonly Option<int?> ClipSkip = ValueOption.Integer(
        "--clip-skip", "N", "Last layers of the text encoder to leave out [default: 0]");

    public static readonly Option<string?> InitImage = ValueOption.Text(
        "--init", "FILE", "Picture to start from instead of noise: PNG, JPEG or WebP", "-i");

    public static readonly Option<double?> Strength = ValueOption.Number(
        "--strength", "X", "How much of the init image is redone: above 0, up to 1 [default: 0.75]");

    public static readonly Option<string?> Mask = ValueOption.Text(
        "--mask", "FILE", "Repaint the init image only where this picture is white");

    public static readonly Option<string?> OutputPath = ValueOption.Text(
        "--output", "PATTERN", $"File to write, with placeholders {OutputPattern.Placeholders}; a folder; or '-' for standard output [default: fleet-{{seed}}.png]", "-o");

    public static readonly Option<bool> KeepExisting = new("--no-overwrite")
    {
        Description = "When the output exists, write beside it with a number added",
    };

    public static readonly Option<int?> Previews = ValueOption.Integer(
        "--preview", "N", "A preview every N steps, 0 for none [default: about 10 a picture where they can be shown]");

    public static readonly Option<string?> Id = ValueOption.Text(
        "--id", "ID", "Idempotency key: the same key attaches to the running job or gets its pictures again");

    public static readonly Option<string?> StickyKey = ValueOption.Text(
        "--sticky-key", "KEY", "While the model is being rolled out: one version for all requests of a key [default: the id]");

    public static readonly Option<string?> Pin = ValueOption.Text(
        "--pin", "VERSION", "While the model is being rolled out: stable or canary [default: the rollout chooses]");

    public static readonly Option<double?> Timeout = ValueOption.Number("--timeout", "SECONDS", "Give up after this time [default: never]");

    // What the options are called in a request, and so in what the fleet says of it.
    private static readonly (string Field, Option Option)[] Fields =
    [
        ("model", Model), ("reference", Model), ("negative_prompt", NegativePrompt), ("width", Width), ("height", Height), ("steps", Steps), ("guidance_scale", Guidance),
        ("guidance_rescale", GuidanceRescale), ("seed", Seed), ("count", Count), ("scheduler.name", Sampler), ("scheduler", Sampler),
        ("scheduler.sigmas", Schedule), ("scheduler.timestep_spacing", Spacing), ("scheduler.eta", Eta), ("clip_skip", ClipSkip),
        ("init.strength", Strength), ("image", InitImage), ("mask", Mask), ("preview_interval", Previews), ("request_id", Id), ("sticky_key", StickyKey), ("version_pin", Pin),
    ];

    /// <summary>What the fleet says of a request, with the option in place of the field's name.</summary>
    public static string InOptions(string message)
    {
        string field = message.Split(' ')[0];
        var option = Fields.FirstOrDefault(known => known.Field == field).Option;
        return option is null ? message : option.Name + message[field.Length..];
    }

    public static void AddTo(Command command)
    {
        command.Arguments.Add(Prompt);
        Option[] options =
        [
            OutputPath, KeepExisting, NegativePrompt, Model, Steps, Guidance, GuidanceRescale, Seed, Size, Width, Height, Count, Sampler, Schedule,
            Spacing, Eta, ClipSkip, InitImage, Strength, Mask, Previews, Id, StickyKey, Pin, Timeout, FleetOptions.Fleet, FleetOptions.Device, FleetOptions.Threads,
        ];
        foreach (var option in options)
        {
            command.Options.Add(option);
        }
    }

    public static async Task<GenerationRequest> ReadAsync(ParseResult parsed, Output output, CancellationToken cancellation)
    {
        var size = parsed.GetValue(Size);
        if (size is not null && (parsed.GetValue(Width) ?? parsed.GetValue(Height)) is not null)
        {
            throw new CommandException(ExitCode.BadInput, "--size and --width or --height were both given", "give one of them");
        }

        string prompt = parsed.GetValue(Prompt)!;
        string? initImage = parsed.GetValue(InitImage);
        string? mask = parsed.GetValue(Mask);
        if (initImage is null && (mask ?? parsed.GetValue(Strength) as object) is not null)
        {
            throw new CommandException(ExitCode.BadInput, "--mask and --strength need a picture to start from: give one with --init FILE");
        }

        int? steps = parsed.GetValue(Steps);
        bool previewsAreSeen = output.Screen is not null;
        return new GenerationRequest
        {
            Prompt = prompt is "-" ? (await Console.In.ReadToEndAsync(cancellation)).TrimEnd('\r', '\n') : prompt,
            NegativePrompt = parsed.GetValue(NegativePrompt) ?? "",
            Model = parsed.GetValue(Model),
            Width = size?.Width ?? parsed.GetValue(Width),
            Height = size?.Height ?? parsed.GetValue(Height),
            Steps = steps,
            GuidanceScale = parsed.GetValue(Guidance),
            GuidanceRescale = parsed.GetValue(GuidanceRescale) ?? 0,
            Seed = parsed.GetValue(Seed),
            Count = parsed.GetValue(Count),
            Scheduler = parsed.GetValue(Sampler),
            Sigmas = parsed.GetValue(Schedule),
            TimestepSpacing = parsed.GetValue(Spacing),
            Eta = parsed.GetValue(Eta),
            ClipSkip = parsed.GetValue(ClipSkip) ?? 0,
            InitImage = await ReadFileAsync("--init", initImage, cancellation),
            Mask = await ReadFileAsync("--mask", mask, cancellation),
            Strength = parsed.GetValue(Strength),
            PreviewInterval = parsed.GetValue(Previews) ?? (previewsAreSeen ? Math.Max(1, (steps ?? 20) / 10) : 0),
            RequestId = parsed.GetValue(Id) ?? Guid.NewGuid().ToString("n"),
            StickyKey = parsed.GetValue(StickyKey),
            VersionPin = parsed.GetValue(Pin),
            Timeout = parsed.GetValue(Timeout) is { } seconds ? TimeoutOf(seconds) : null,
        };
    }

    private static TimeSpan TimeoutOf(double seconds) => seconds is > 0 and <= 7 * 86400
        ? TimeSpan.FromSeconds(seconds)
        : throw new CommandException(ExitCode.BadInput, $"--timeout is {seconds}; it must be above 0 and at most 604800 seconds");

    /// <summary>The bytes of the file that an option names; null when it was not given.</summary>
    public static async Task<ReadOnlyMemory<byte>?> ReadFileAsync(string option, string? path, CancellationToken cancellation)
    {
        if (path is null)
        {
            return null;
        }

        if (!File.Exists(path))
        {
            throw new CommandException(ExitCode.NotFound, $"{option} names '{path}', which is no file");
        }

        return await File.ReadAllBytesAsync(path, cancellation);
    }
}
