using Fleet.Benchmarks;
using Fleet.Benchmarks.Rollouts;

// Measures Fleet on this machine. benchmarks/run.sh builds and runs this; benchmarks/README.md says what the figures mean.
string what = args.FirstOrDefault() ?? "";
string[] options = [.. args.Skip(1)];
switch (what)
{
    case "step":
        StepBenchmark.Run(Option("--checkpoint"), int.Parse(Option("--repeats", "3")));
        return 0;
    case "tax":
        await TaxBenchmark.RunAsync(Option("--checkpoint"), int.Parse(Option("--size", "256")), int.Parse(Option("--steps", "20")), int.Parse(Option("--repeats", "10")));
        return 0;
    case "load":
        LoadBenchmark.Run(Option("--checkpoint"));
        return 0;
    case "share":
        await ShareBenchmark.RunAsync(Option("--checkpoint"));
        return 0;
    case "soak":
        await SoakBenchmark.RunAsync(int.Parse(Option("--pictures", "200")));
        return 0;
    case "rollouts":
        RolloutsBenchmark.Run(int.Parse(Option("--rollouts", "1000")), Option("--only", ""));
        return 0;
    default:
        Console.Error.WriteLine("usage: Fleet.Benchmarks step|tax|load|share --checkpoint FOLDER [--repeats N] [--size N] [--steps N] | soak [--pictures N] | rollouts [--rollouts N] [--only TEXT]");
        return 64;
}

string Option(string name, string? otherwise = null)
{
    int at = Array.IndexOf(options, name);
    return at >= 0 && at + 1 < options.Length ? options[at + 1]
        : otherwise ?? throw new ArgumentException($"{name} is needed.");
}
