using System.Diagnostics;
using Fleet.Diffusion.Imaging;

namespace Fleet.Benchmarks;

/// <summary>The tax of the fleet: the same picture through the services and through the modules in one loop, interleaved.</summary>
internal static class TaxBenchmark
{
    public static async Task RunAsync(string checkpoint, int size, int steps, int repeats)
    {
        const string Prompt = "a photo of a fox";
        await using var fleet = await LocalFleet.StartAsync(checkpoint);
        using var loop = new OwnThread<DirectLoop>(() => new DirectLoop(checkpoint));
        byte[] ours = await fleet.GenerateAsync(Prompt, size, steps, 0);
        byte[] theirs = loop.Run(direct => direct.Generate(Prompt, size, steps, 0));
        bool same = PngReader.ReadPicture(ours).Rgb.AsSpan().SequenceEqual(PngReader.ReadPicture(theirs).Rgb);

        var services = new List<double>();
        var direct = new List<double>();
        for (int i = 0; i < repeats; i++)
        {
            // The order alternates, so that a drift of the machine falls on both.
            if (i % 2 == 0)
            {
                services.Add(await ThroughFleet(i));
                direct.Add(InLoop(i));
            }
            else
            {
                direct.Add(InLoop(i));
                services.Add(await ThroughFleet(i));
            }
        }

        double through = Measure.Median(services);
        double inLoop = Measure.Median(direct);
        double difference = Measure.Median(services.Zip(direct, (s, d) => s - d));
        Console.WriteLine($"{size}x{size}, {steps} steps, guidance 7.5; {repeats} rounds, interleaved; medians; equal pixels: {(same ? "yes" : "NO")}");
        Console.WriteLine($"through the services {through * 1000,9:F1} ms (best {services.Min() * 1000:F1})");
        Console.WriteLine($"in one loop          {inLoop * 1000,9:F1} ms (best {direct.Min() * 1000:F1})");
        Console.WriteLine($"tax                  {difference * 1000,9:F1} ms, {difference / inLoop:P2} (median of the rounds' differences); of the best {(services.Min() - direct.Min()) * 1000:F1} ms");

        async Task<double> ThroughFleet(int seed)
        {
            long start = Stopwatch.GetTimestamp();
            await fleet.GenerateAsync(Prompt, size, steps, seed);
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        double InLoop(int seed) => Measure.Seconds(() => loop.Run(direct => direct.Generate(Prompt, size, steps, seed)));
    }

    // OpenMP keeps its threads per calling thread, and a service's device has one of its own: so has the loop.
    private sealed class OwnThread<T> : IDisposable
        where T : IDisposable
    {
        private readonly System.Collections.Concurrent.BlockingCollection<Action> work = [];
        private readonly Thread thread;
        private T state = default!;

        public OwnThread(Func<T> create)
        {
            thread = new Thread(() =>
            {
                foreach (var next in work.GetConsumingEnumerable())
                {
                    next();
                }
            });
            thread.Start();
            Run(_ =>
            {
                state = create();
                return 0;
            });
        }

        public TResult Run<TResult>(Func<T, TResult> compute)
        {
            var done = new TaskCompletionSource<TResult>();
            work.Add(() =>
            {
                try
                {
                    done.SetResult(compute(state));
                }
                catch (Exception e)
                {
                    done.SetException(e);
                }
            });
            return done.Task.GetAwaiter().GetResult();
        }

        public void Dispose()
        {
            work.CompleteAdding();
            thread.Join();
            state.Dispose();
        }
    }
}
