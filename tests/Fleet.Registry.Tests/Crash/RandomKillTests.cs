using System.Diagnostics;

namespace Fleet.Registry.Tests.Crash;

public sealed class RandomKillTests(ITestOutputHelper output) : CrashTest
{
    // FLEET_CRASH_KILLS=500 is the full run; FLEET_CRASH_SEED repeats one.
    private readonly int kills = Setting("FLEET_CRASH_KILLS", 15);
    private readonly int seed = Setting("FLEET_CRASH_SEED", Random.Shared.Next());

    [Fact]
    public async Task Push_OfARegistryKilledAtARandomMoment_ShowsNoHalfVersionAndResumes()
    {
        var random = new Random(seed);
        await using var registry = new RegistryProcess(DataPath);
        await registry.StartAsync(Cancellation);
        await TryPushAsync(registry, Task.Delay(Timeout.Infinite, Cancellation));
        ChangeModel(random, tensors: 40);
        long start = Stopwatch.GetTimestamp();
        await TryPushAsync(registry, Task.Delay(Timeout.Infinite, Cancellation));
        var usual = Stopwatch.GetElapsedTime(start);

        int cut = 0;
        for (int i = 0; i < kills; i++)
        {
            ChangeModel(random, tensors: 40);
            var killed = KillAfterAsync(registry, usual * random.NextDouble());
            cut += await TryPushAsync(registry, killed) ? 0 : 1;
            await killed;
            await registry.StartAsync(Cancellation);
            await ShouldRecoverAsync(registry);
            output.WriteLine($"seed {seed}: {i + 1} kills, {cut} of them before the push had ended");
        }

        await ShouldVerifyAsync(registry);
        cut.Should().BePositive();
    }

    private static async Task KillAfterAsync(RegistryProcess registry, TimeSpan moment)
    {
        await Task.Delay(moment, Cancellation);
        await registry.KillAsync();
    }
}
