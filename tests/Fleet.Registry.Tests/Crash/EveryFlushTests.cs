using System.Diagnostics;

namespace Fleet.Registry.Tests.Crash;

public sealed class EveryFlushTests(ITestOutputHelper output) : CrashTest
{
    private const string Tracer = "/usr/bin/strace";
    private const string Calls = "fsync,fdatasync,rename,renameat,renameat2,link,linkat";

    // Tensors that a push sends: each is flushed, renamed and its folder flushed.
    private readonly int tensors = Setting("FLEET_CRASH_TENSORS", 1);

    [Fact]
    public async Task Push_OfARegistryKilledAtEachFlushAndRename_ShowsNoHalfVersionAndResumes()
    {
        Assert.SkipUnless(File.Exists(Tracer), "needs strace");
        var random = new Random(1);
        await using var registry = new RegistryProcess(DataPath) { OneWorker = true };
        await registry.StartAsync(Cancellation);
        await TryPushAsync(registry, registry.ExitAsync());

        int kills = 0;
        while (true)
        {
            ChangeModel(random, tensors);
            using var tracer = await AttachAsync(registry.Id, call: kills + 1);
            bool ended = await TryPushAsync(registry, registry.ExitAsync());
            if (!registry.HasExited)
            {
                ended.Should().BeTrue();
                tracer.Kill();
                break;
            }

            kills++;
            await registry.StartAsync(Cancellation);
            await ShouldRecoverAsync(registry);
        }

        await ShouldVerifyAsync(registry);
        output.WriteLine($"killed at each of the {kills} calls of {Calls}");
        kills.Should().BeGreaterThan(3 * tensors, "the database is flushed too");
    }

    private static async Task<Process> AttachAsync(int process, int call)
    {
        var tracer = Process.Start(new ProcessStartInfo(
            Tracer, ["-f", "-p", $"{process}", "-o", "/dev/null", "-e", $"trace={Calls}", "-e", $"inject={Calls}:signal=KILL:when={call}"])
        {
            RedirectStandardError = true,
        })!;
        string? said = await tracer.StandardError.ReadLineAsync(Cancellation);
        Assert.SkipUnless(said?.Contains("attached", StringComparison.Ordinal) ?? false, $"strace cannot trace here: {said}");
        _ = tracer.StandardError.ReadToEndAsync(CancellationToken.None); // it tells of every thread, and must not wait for us
        return tracer;
    }
}
