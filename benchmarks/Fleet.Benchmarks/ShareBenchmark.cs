using System.Diagnostics;
using Fleet.Cli.Fleets;
using Fleet.Client.Registry;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Safetensors;
using Fleet.Serving;
using Fleet.Serving.Versions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Fleet.Benchmarks;

/// <summary>A second version that changes a tenth of the tensor bytes: what it costs in transfer, disk, memory and time.</summary>
internal static class ShareBenchmark
{
    private const double ChangedShare = 0.1;

    public static async Task RunAsync(string checkpoint)
    {
        string changed = checkpoint.TrimEnd('/') + "-changed";
        WriteChanged(checkpoint, changed);
        await using var fleet = await EmbeddedFleet.StartRegistryAsync(new EmbeddedSettings(LogLevel.Warning), CancellationToken.None);
        using var registry = new RegistryClient(fleet.Registry);
        string first = (await registry.PushAsync(checkpoint, "first")).Version.Digest;
        string second = (await registry.PushAsync(changed, "second")).Version.Digest;

        string path = Path.Combine(FleetHome.Folder, "share-store");
        var store = new VersionStore(registry, Options.Create(new VersionStoreOptions { Path = path }), NullLogger<VersionStore>.Instance);
        var pool = new TensorPool();
        var versions = new StageVersions<Pipeline>(store, pool, _ => true, (from, _) => new Pipeline(from));
        await using var models = new ResidentModels<Pipeline>(versions.ContentOfAsync, versions.LoadAsync, capacity: 2);

        Console.WriteLine("version   fetched MiB   fetch s   weights +MiB   resident +MiB   load s");
        await LoadAsync("first", first, versions, models, pool);
        await LoadAsync("second", second, versions, models, pool);

        Console.WriteLine($"switching to a loaded version: {await SwitchAsync(models, first, second):F4} ms (median of 1000)");
    }

    private static async Task LoadAsync(string name, string version, StageVersions<Pipeline> versions, ResidentModels<Pipeline> models, TensorPool pool)
    {
        long start = Stopwatch.GetTimestamp();
        double fetched = MiB(await FetchAsync(version, versions));
        double fetching = Stopwatch.GetElapsedTime(start).TotalSeconds;

        double resident = Measure.MemoryMiB().Resident;
        long weights = pool.Bytes;
        start = Stopwatch.GetTimestamp();
        using var lease = await models.AcquireAsync(version, CancellationToken.None);
        double loading = Stopwatch.GetElapsedTime(start).TotalSeconds;
        lease.Model.Touch();
        Console.WriteLine(
            $"{name,-7}{fetched,14:F0}{fetching,10:F2}{MiB(pool.Bytes - weights),15:F0}{Measure.MemoryMiB().Resident - resident,16:F0}{loading,9:F2}");
    }

    private static async Task<long> FetchAsync(string version, StageVersions<Pipeline> versions)
    {
        using var files = await versions.FetchAsync(version, CancellationToken.None);
        return files.FetchedBytes;
    }

    private static async Task<double> SwitchAsync(ResidentModels<Pipeline> models, string first, string second)
    {
        var times = new List<double>();
        for (int i = 0; i < 1000; i++)
        {
            long start = Stopwatch.GetTimestamp();
            using var lease = await models.AcquireAsync(i % 2 == 0 ? first : second, CancellationToken.None);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return Measure.Median(times);
    }

    // Copies a checkpoint; of its tensors, so many that they have a tenth of the bytes get one other bit in their middle.
    private static void WriteChanged(string checkpoint, string changed)
    {
        long all = 0;
        long different = 0;
        foreach (string file in Directory.GetFiles(checkpoint, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(changed, Path.GetRelativePath(checkpoint, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy, overwrite: true);
            if (!file.EndsWith(".safetensors", StringComparison.Ordinal))
            {
                continue;
            }

            var header = SafetensorsHeader.Read(file);
            using var handle = File.OpenHandle(copy, access: FileAccess.ReadWrite);
            foreach (var entry in header.Entries)
            {
                all += entry.ByteLength;
                if (different + entry.ByteLength <= ChangedShare * all)
                {
                    different += entry.ByteLength;
                    FlipBit(handle, header.DataStart + entry.Begin + (entry.ByteLength / 2 & ~3L));
                }
            }
        }

        Console.WriteLine($"tensor bytes {MiB(all):F0} MiB, changed {100.0 * different / all:F1} %");
    }

    private static void FlipBit(Microsoft.Win32.SafeHandles.SafeFileHandle file, long offset)
    {
        Span<byte> one = stackalloc byte[1];
        RandomAccess.Read(file, one, offset);
        one[0] ^= 1;
        RandomAccess.Write(file, one, offset);
    }

    private static double MiB(long bytes) => bytes / (1024.0 * 1024);

    private sealed class Pipeline : IStageModel<Pipeline>
    {
        private readonly TorchSharp.torch.nn.Module[] models;

        public Pipeline(Checkpoint checkpoint) =>
            models = [ClipTextModel.Load(checkpoint), UNet2DConditionModel.Load(checkpoint), AutoencoderKL.Load(checkpoint)];

        public Pipeline For(string version) => this;

        /// <summary>Reads every weight, so that mapped pages are in memory.</summary>
        public void Touch()
        {
            foreach (var parameter in models.SelectMany(model => model.parameters()))
            {
                using var sum = parameter.sum();
            }
        }

        public void Dispose() => Array.ForEach(models, model => model.Dispose());
    }
}
