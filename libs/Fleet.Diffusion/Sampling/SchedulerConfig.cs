using System.Globalization;
using System.Text.Json;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// A scheduler's class and settings, as scheduler_config.json has them. A setting that the file does not name has the default of
/// the class; a setting that the class does not know is kept, because another class may know it.
/// </summary>
public sealed class SchedulerConfig
{
    private readonly SchedulerClass type;
    private readonly IReadOnlyDictionary<string, object?> written;

    private SchedulerConfig(SchedulerClass type, IReadOnlyDictionary<string, object?> written, StepArguments step)
    {
        this.type = type;
        this.written = written;
        Step = step;
    }

    /// <summary>The class in diffusers' naming, for example "EulerDiscreteScheduler".</summary>
    public string ClassName => type.Name;

    /// <summary>What diffusers takes as arguments of <c>step</c>: it belongs to a request, not to the model's file.</summary>
    public StepArguments Step { get; }

    /// <summary>Every setting of the class with its value: a bool, long, double, string, double[] or null.</summary>
    public IReadOnlyDictionary<string, object?> Settings => type.Keys.ToDictionary(key => key, Value);

    /// <summary>Reads the content of scheduler_config.json.</summary>
    /// <param name="json">The file's object.</param>
    /// <param name="className">The class, where it is not the one in "_class_name".</param>
    /// <exception cref="SchedulerException">The class is missing or not one of those that Fleet has.</exception>
    public static SchedulerConfig Parse(JsonElement json, string? className = null)
    {
        string? name = className ?? (json.TryGetProperty("_class_name", out var own) ? own.GetString() : null);
        var written = json.EnumerateObject()
            .Where(property => !property.Name.StartsWith('_'))
            .ToDictionary(property => property.Name, property => Plain(property.Value));
        return new SchedulerConfig(SchedulerClass.Find(name), written, new StepArguments());
    }

    /// <summary>
    /// The same model under another scheduler, as diffusers' <c>from_config</c>: what was written carries over, what was not takes
    /// the default of the other class.
    /// </summary>
    /// <exception cref="SchedulerException">There is no such class.</exception>
    public SchedulerConfig As(string otherClassName) => new(SchedulerClass.Find(otherClassName), written, Step);

    /// <summary>A copy with one setting written.</summary>
    public SchedulerConfig With(string key, object? value) =>
        new(type, new Dictionary<string, object?>(written) { [key] = value }, Step);

    /// <summary>A copy with other arguments of the step.</summary>
    public SchedulerConfig With(StepArguments step) => new(type, written, step);

    internal SchedulerClass Class => type;

    internal int TrainTimesteps => Integer("num_train_timesteps");

    internal double BetaStart => Number("beta_start");

    internal double BetaEnd => Number("beta_end");

    internal string BetaSchedule => Text("beta_schedule");

    internal IReadOnlyList<double>? TrainedBetas => Numbers("trained_betas");

    internal bool RescaleBetasZeroSnr => Flag("rescale_betas_zero_snr");

    internal string Spacing => Text("timestep_spacing");

    internal int StepsOffset => Integer("steps_offset");

    internal bool Thresholding => Flag("thresholding");

    internal double DynamicThresholdingRatio => Number("dynamic_thresholding_ratio");

    internal double SampleMaxValue => Number("sample_max_value");

    internal bool ClipSample => Flag("clip_sample");

    internal double ClipSampleRange => Number("clip_sample_range");

    internal bool SetAlphaToOne => Flag("set_alpha_to_one");

    internal string? VarianceType => Value("variance_type") is null ? null : Text("variance_type");

    internal bool SkipPrkSteps => Flag("skip_prk_steps");

    internal int OriginalInferenceSteps => Integer("original_inference_steps");

    internal double TimestepScaling => Number("timestep_scaling");

    internal string InterpolationType => Text("interpolation_type");

    internal string TimestepType => Text("timestep_type");

    internal double? SigmaMin => OptionalNumber("sigma_min");

    internal double? SigmaMax => OptionalNumber("sigma_max");

    internal string FinalSigmasType => Text("final_sigmas_type");

    internal bool UseLuLambdas => Flag("use_lu_lambdas");

    internal bool UseFlowSigmas => Flag("use_flow_sigmas");

    internal double FlowShift => Number("flow_shift");

    internal bool UseDynamicShifting => Flag("use_dynamic_shifting");

    internal double? ShiftTerminal => OptionalNumber("shift_terminal");

    internal int SolverOrder => Integer("solver_order");

    internal string AlgorithmType => Text("algorithm_type");

    internal string SolverType => Text("solver_type");

    internal bool LowerOrderFinal => Flag("lower_order_final");

    internal bool EulerAtFinal => Flag("euler_at_final");

    internal double LambdaMinClipped => Number("lambda_min_clipped");

    internal bool PredictX0 => Flag("predict_x0");

    internal IReadOnlyList<double> DisableCorrector => Numbers("disable_corrector") ?? [];

    internal bool HasSolverP => Value("solver_p") is not null;

    internal Prediction Prediction => Text("prediction_type") switch
    {
        "epsilon" => Prediction.Epsilon,
        "sample" or "original_sample" => Prediction.Sample,
        "v_prediction" => Prediction.Velocity,
        "flow_prediction" => Prediction.Flow,
        _ => throw Refusal("prediction_type", "use epsilon, sample, v_prediction or flow_prediction."),
    };

    // How the noise levels of a plan are spread between the lowest and the highest.
    internal SigmaShape SigmaShape
    {
        get
        {
            SigmaShape[] asked =
            [
                .. Flag("use_karras_sigmas") ? [SigmaShape.Karras] : Array.Empty<SigmaShape>(),
                .. Flag("use_exponential_sigmas") ? [SigmaShape.Exponential] : Array.Empty<SigmaShape>(),
                .. Flag("use_beta_sigmas") ? [SigmaShape.Beta] : Array.Empty<SigmaShape>(),
            ];
            return asked.Length switch
            {
                0 => SigmaShape.Trained,
                1 => asked[0],
                _ => throw new SchedulerException(
                    $"{ClassName} has {string.Join(" and ", asked)} sigmas at once; set one of use_karras_sigmas, " +
                    "use_exponential_sigmas and use_beta_sigmas."),
            };
        }
    }

    internal SchedulerException Refusal(string key, string remedy) =>
        new($"{ClassName} cannot run with {key} = {Show(Value(key))}: {remedy}");

    internal static string Show(object? value) => value switch
    {
        null => "null",
        double[] numbers => $"{numbers.Length} numbers",
        bool flag => flag ? "true" : "false",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => $"'{value}'",
    };

    private object? Value(string key)
    {
        if (!type.Defaults.TryGetValue(key, out object? fallback))
        {
            return SchedulerClass.Neutral[key];
        }

        return written.TryGetValue(key, out object? value) ? value : fallback;
    }

    private bool Flag(string key) => Value(key) switch
    {
        bool flag => flag,
        null => false,
        _ => throw Refusal(key, "it is true or false."),
    };

    private string Text(string key) =>
        Value(key) as string ?? throw Refusal(key, "it is a string.");

    private double Number(string key) => OptionalNumber(key) ?? throw Refusal(key, "it is a number.");

    private double? OptionalNumber(string key) => Value(key) switch
    {
        null => null,
        double number => number,
        int number => number,
        long number => number,
        "-Infinity" => double.NegativeInfinity,
        _ => throw Refusal(key, "it is a number."),
    };

    private double[]? Numbers(string key) => Value(key) switch
    {
        null => null,
        double[] numbers => numbers,
        _ => throw Refusal(key, "it is a list of numbers."),
    };

    private int Integer(string key)
    {
        double number = Number(key);
        return number == Math.Floor(number) && Math.Abs(number) <= int.MaxValue
            ? (int)number
            : throw Refusal(key, "it is a whole number.");
    }

    private static object? Plain(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.TryGetInt64(out long whole) ? whole : value.GetDouble(),
        JsonValueKind.Array when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number) =>
            value.EnumerateArray().Select(item => item.GetDouble()).ToArray(),
        JsonValueKind.Null => null,
        _ => value.GetRawText(),
    };
}

/// <summary>What a request may say about each step. A sampler that has no such argument ignores it.</summary>
public sealed record StepArguments
{
    /// <summary>Share of fresh noise: 0 none, 1 all. DDIM's η (0 unless set) and TCD's γ (0.3 unless set).</summary>
    public double? Eta { get; init; }

    /// <summary>Euler's s_churn: noise added and removed over the whole schedule (arXiv:2206.00364, Algorithm 2).</summary>
    public double Churn { get; init; }

    /// <summary>Lowest sigma that is churned.</summary>
    public double ChurnMin { get; init; }

    /// <summary>Highest sigma that is churned.</summary>
    public double ChurnMax { get; init; } = double.PositiveInfinity;

    /// <summary>Factor on the churned noise.</summary>
    public double ChurnNoise { get; init; } = 1;

    /// <summary>How many derivatives LMS looks back on.</summary>
    public int LmsOrder { get; init; } = 4;

    /// <summary>DDIM: derive the noise again from the clipped prediction of x0.</summary>
    public bool UseClippedModelOutput { get; init; }
}

// What the network predicts.
internal enum Prediction
{
    Epsilon,
    Sample,
    Velocity,
    Flow,
}

internal enum SigmaShape
{
    Trained,
    Karras,
    Exponential,
    Beta,
}
