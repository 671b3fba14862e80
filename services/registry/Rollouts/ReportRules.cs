using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Google.Protobuf.WellKnownTypes;
using Enum = System.Enum;

namespace Fleet.Registry.Rollouts;

/// <summary>Checks of what gateways and stages report; the limits are those of traffic.proto and rollouts.proto.</summary>
internal static class ReportRules
{
    private const int MaxTogether = 1000;
    private const int MaxText = 1000;
    private const int MaxName = 200;
    private const int MaxThumbnailBytes = 128 * 1024;

    public static string Name(string field, string value) => Text(field, value, MaxName) != ""
        ? value
        : throw new InvalidRequestException(field, value, $"give 1 to {MaxName} characters");

    public static string Stage(string value) => WarmupReading.Stages.Contains(value)
        ? value
        : throw new InvalidRequestException("stage", value, "give encoder, denoiser or decoder");

    public static void Check(ReportOutcomesRequest report)
    {
        _ = Name("reporter", report.Reporter);
        Require(report.Sequence >= 1, "sequence", report.Sequence, "give a whole number from 1 on");
        int together = report.Outcomes.Count + report.Pairs.Count;
        Require(together <= MaxTogether, "outcomes and pairs", together, $"give at most {MaxTogether} together");
        Require(report.PairRollouts.Count == report.Pairs.Count, "pair_rollouts", report.PairRollouts.Count, $"give one for each of the {report.Pairs.Count} pairs");
        for (int i = 0; i < report.Outcomes.Count; i++)
        {
            Check($"outcomes[{i}]", report.Outcomes[i]);
        }

        for (int i = 0; i < report.Pairs.Count; i++)
        {
            _ = Name($"pair_rollouts[{i}]", report.PairRollouts[i]);
            Check($"pairs[{i}]", report.Pairs[i]);
        }
    }

    public static void Check(ReportReadinessRequest report)
    {
        _ = Stage(report.Stage);
        _ = Name("replica", report.Replica);
        Require(report.Progress.Count <= MaxTogether, "progress", report.Progress.Count, $"give at most {MaxTogether}");
        for (int i = 0; i < report.Progress.Count; i++)
        {
            var progress = report.Progress[i];
            string at = $"progress[{i}]";
            _ = Name($"{at}.rollout", progress.Rollout);
            _ = RequestRules.VersionDigest(progress.Version, $"{at}.version");
            Known($"{at}.state", progress.State);
            _ = Text($"{at}.detail", progress.Detail, MaxText);
            NotNegative($"{at}.added_bytes", progress.AddedBytes);
            NotNegative($"{at}.shared_bytes", progress.SharedBytes);
            NotNegative($"{at}.fetched_bytes", progress.FetchedBytes);
            Require(
                progress.Took is null || (progress.Took.Seconds is >= 0 and < int.MaxValue && progress.Took.Nanos is >= 0 and < 1_000_000_000),
                $"{at}.took", progress.Took, "give a time of 0s or more");
        }
    }

    private static void Check(string at, RequestOutcome outcome)
    {
        _ = Name($"{at}.rollout", outcome.Rollout);
        _ = Name($"{at}.request_id", outcome.RequestId);
        Known($"{at}.arm", outcome.Arm);
        Known($"{at}.fault", outcome.Fault);
        CheckTime($"{at}.at", outcome.At);
        _ = Text($"{at}.detail", outcome.Detail, MaxText);
        Finite($"{at}.encode_ms", outcome.EncodeMs, 0, double.MaxValue);
        Finite($"{at}.denoise_ms", outcome.DenoiseMs, 0, double.MaxValue);
        Finite($"{at}.decode_ms", outcome.DecodeMs, 0, double.MaxValue);
        NotNegative($"{at}.width", outcome.Width);
        NotNegative($"{at}.height", outcome.Height);
        NotNegative($"{at}.steps", outcome.Steps);
        NotNegative($"{at}.count", outcome.Count);
    }

    private static void Check(string at, Sample pair)
    {
        _ = Name($"{at}.request_id", pair.RequestId);
        CheckTime($"{at}.at", pair.At);
        NotNegative($"{at}.width", pair.Width);
        NotNegative($"{at}.height", pair.Height);
        NotNegative($"{at}.steps", pair.Steps);
        Require(pair.Distance is not null, $"{at}.distance", null, "give how far the pictures are apart");
        Finite($"{at}.distance.psnr_db", pair.Distance!.PsnrDb, double.MinValue, double.MaxValue);
        Finite($"{at}.distance.ssim", pair.Distance.Ssim, -1, 1);
        Finite($"{at}.distance.latent_rmse", pair.Distance.LatentRmse, 0, double.MaxValue);
        Finite($"{at}.distance.clip", pair.Distance.Clip, 0, 2);
        Thumbnail($"{at}.stable_thumbnail", pair.StableThumbnail.Length);
        Thumbnail($"{at}.canary_thumbnail", pair.CanaryThumbnail.Length);
    }

    private static void Require(bool right, string field, object? value, string remedy)
    {
        if (!right)
        {
            throw new InvalidRequestException(field, value, remedy);
        }
    }

    private static void CheckTime(string field, Timestamp? at) =>
        Require(at is { Seconds: >= 0 and <= 253_402_300_799, Nanos: >= 0 and < 1_000_000_000 }, field, at, "give the time at which it happened");

    private static void Known<T>(string field, T value)
        where T : struct, Enum =>
        Require(Enum.IsDefined(value) && Convert.ToInt32(value, null) != 0, field, Convert.ToInt32(value, null), "give one of the values that the contract names");

    private static string Text(string field, string value, int most)
    {
        Require(value.Length <= most, field, value, $"give at most {most} characters");
        Require(!value.Contains('\0'), field, "text with a NUL character", "leave it out"); // PostgreSQL stores none
        return value;
    }

    private static void NotNegative(string field, long value) => Require(value >= 0, field, value, "give 0 or more");

    private static void Finite(string field, double value, double least, double most) =>
        Require(value >= least && value <= most, field, value, $"give a finite number{(least == -1 ? " from -1 to 1" : "")}");

    private static void Thumbnail(string field, int bytes) =>
        Require(bytes <= MaxThumbnailBytes, field, $"{bytes} bytes", $"give a PNG of at most {MaxThumbnailBytes} bytes");
}
