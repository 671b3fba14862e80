namespace Fleet.Diffusion.Sampling;

/// <summary>The beta distribution on [0, 1]: its distribution function, I_x(a, b), and the inverse.</summary>
internal static class BetaDistribution
{
    // Lanczos coefficients for g = 7, n = 9.
    private static readonly double[] Lanczos =
    [
        0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
        12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
    ];

    /// <summary>The x below which a share p of the distribution lies.</summary>
    public static double Quantile(double p, double a, double b)
    {
        if (p <= 0 || p >= 1)
        {
            return Math.Clamp(p, 0, 1);
        }

        // The smaller half has the full precision of a number near zero; the larger is its mirror image.
        return p <= Cumulative(0.5, a, b) ? LowerQuantile(p, a, b) : 1 - LowerQuantile(1 - p, b, a);
    }

    // A quantile up to one half: Newton's method inside a bracket that only shrinks.
    private static double LowerQuantile(double p, double a, double b)
    {
        double low = 0;
        double high = 0.5;
        double logScale = LogGamma(a + b) - LogGamma(a) - LogGamma(b);
        double x = Math.Clamp(Math.Exp((Math.Log(p * a) - logScale) / a), double.Epsilon, 0.5);   // I_x ~ scale x^a / a near zero
        for (int i = 0; i < 100; i++)
        {
            double excess = Cumulative(x, a, b) - p;
            (low, high) = excess > 0 ? (low, x) : (x, high);
            double density = Math.Exp(logScale + (a - 1) * Math.Log(x) + (b - 1) * Math.Log(1 - x));
            double next = x - excess / density;
            next = next >= low && next <= high ? next : (low + high) / 2;
            if (Math.Abs(next - x) <= 1e-15 * x)
            {
                return next;
            }

            x = next;
        }

        return x;
    }

    /// <summary>The share of the distribution below x: I_x(a, b), by Lentz's method on its continued fraction (DLMF 8.17.22).</summary>
    public static double Cumulative(double x, double a, double b)
    {
        if (x <= 0 || x >= 1)
        {
            return Math.Clamp(x, 0, 1);
        }

        if (x > (a + 1) / (a + b + 2))
        {
            return 1 - Cumulative(1 - x, b, a);     // the fraction converges fast on the other side
        }

        const double tiny = 1e-300;
        double c = 1;
        double d = 1 / NonZero(1 - (a + b) * x / (a + 1));
        double fraction = d;
        for (int m = 1; m <= 500; m++)
        {
            double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 / NonZero(1 + even * d);
            c = NonZero(1 + even / c);
            fraction *= d * c;

            double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
            d = 1 / NonZero(1 + odd * d);
            c = NonZero(1 + odd / c);
            fraction *= d * c;
            if (Math.Abs(d * c - 1) < 1e-16)
            {
                break;
            }
        }

        double front = LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * Math.Log(x) + b * Math.Log(1 - x);
        return Math.Exp(front) * fraction / a;

        static double NonZero(double value) => Math.Abs(value) < tiny ? tiny : value;
    }

    // Lanczos 1964; z > 0. Below one half by Γ(z) = Γ(z + 1) / z.
    private static double LogGamma(double z)
    {
        if (z < 0.5)
        {
            return LogGamma(z + 1) - Math.Log(z);
        }

        double shifted = z - 1;
        double sum = Lanczos[0];
        for (int i = 1; i < Lanczos.Length; i++)
        {
            sum += Lanczos[i] / (shifted + i);
        }

        double t = shifted + 7.5;
        return 0.5 * Math.Log(2 * Math.PI) + (shifted + 0.5) * Math.Log(t) - t + Math.Log(sum);
    }
}
