namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// How the chance of rolling a good canary back is divided among the tests (Bonferroni with weights; they add up to 1). Beta is not
/// divided: a canary that is beyond one limit is promoted only if the test of that limit errs, for all have to find it good.
/// </summary>
internal static class AlphaShares
{
    public const double Errors = 0.3;
    public const double Flags = 0.1;
    public const double EachStage = 0.1;
    public const double EachDistance = 0.1;
}
