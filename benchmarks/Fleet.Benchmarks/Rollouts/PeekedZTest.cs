namespace Fleet.Benchmarks.Rollouts;

/// <summary>What is often done instead: a one-sided test of two proportions at 5 %, looked at after every canary request.</summary>
internal sealed class PeekedZTest(double limit)
{
    private const double Critical = 1.6449; // one-sided, 5 %
    private const int FirstLook = 100; // canary requests

    private double canary;
    private double canaryErrors;
    private double stable;
    private double stableErrors;

    public bool Aborted { get; private set; }

    public void Observe(bool ofCanary, bool error)
    {
        if (ofCanary)
        {
            canary++;
            canaryErrors += error ? 1 : 0;
        }
        else
        {
            stable++;
            stableErrors += error ? 1 : 0;
        }

        if (ofCanary && !Aborted && canary >= FirstLook && stable >= FirstLook)
        {
            double p = canaryErrors / canary;
            double q = stableErrors / stable;
            double variance = (p * (1 - p) / canary) + (q * (1 - q) / stable);
            double rise = p - q - limit;
            Aborted = rise > 0 && rise * rise > Critical * Critical * variance;
        }
    }
}
