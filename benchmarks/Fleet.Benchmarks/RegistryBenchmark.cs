using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Fleet.Client.Registry;
using Fleet.Safetensors;

namespace Fleet.Benchmarks;

/// <summary>Push and pull through a registry in a process of its own, beside copying and hashing the same bytes; and what a fine-tune costs.</summary>
internal static class RegistryBenchmark
{
    private static readonly byte[] Change = [0x5a, 0x01, 0x33, 0x7f];

    public static async Task RunAsync(string checkpoint, int rounds)
    {
        string work = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(checkpoint)!, "registry-work")).FullName;
        try
        {
            await CompareAsync(checkpoint, work, rounds);
            await FineTuneAsync(checkpoint, work);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    // Interleaved, so that whatever else the machine does falls on all of them.
    private static async Task CompareAsync(string checkpoint, string work, int rounds)
    {
        long bytes = BytesOf(checkpoint);
        var seconds = new Dictionary<string, List<double>>();
        for (int round = 0; round < rounds; round++)
        {
            Add("cp + sha256sum", () => Shell($"cp -r '{checkpoint}' '{work}/copy' && find '{work}/copy' -type f -exec sha256sum {{}} + > /dev/null"));
            await using (var registry = await StartAsync(Path.Combine(work, "data")))
            {
                using var client = new RegistryClient(registry.Address);
                string digest = "";
                Add("push", () => digest = client.PushAsync(checkpoint, "benchmark").GetAwaiter().GetResult().Version.Digest);
                Add("pull", () => client.PullAsync(digest, Path.Combine(work, "pulled")).GetAwaiter().GetResult());
            }

            foreach (string folder in (string[])["copy", "data", "pulled"])
            {
                Directory.Delete(Path.Combine(work, folder), recursive: true);
            }
        }

        double copy = Measure.Median(seconds["cp + sha256sum"]);
        Console.WriteLine($"{bytes / 1e9:F2} GB, medians of {rounds} rounds");
        foreach (var (name, figures) in seconds)
        {
            double median = Measure.Median(figures);
            Console.WriteLine(
                $"{name,-16}{median,8:F2} s{bytes / 1e6 / median,8:F0} MB/s{100 * copy / median,7:F0} %   {string.Join(' ', figures.Select(figure => $"{figure:F1}"))}");
        }

        void Add(string name, Action work)
        {
            if (!seconds.TryGetValue(name, out var figures))
            {
                seconds[name] = figures = [];
            }

            figures.Add(Measure.Seconds(work));
        }
    }

    private static async Task FineTuneAsync(string checkpoint, string work)
    {
        string tuned = Path.Combine(work, "tuned");
        Shell($"cp -r '{checkpoint}' '{tuned}'");
        await using var registry = await StartAsync(Path.Combine(work, "data"));
        using var client = new RegistryClient(registry.Address);
        var first = await client.PushAsync(checkpoint, "benchmark");
        long stored = BytesOf(Path.Combine(work, "data"));
        long changed = ChangeTenth(Path.Combine(tuned, "unet", "diffusion_pytorch_model.safetensors"), first.Version.Size);
        var second = await client.PushAsync(tuned, "benchmark");
        long added = BytesOf(Path.Combine(work, "data")) - stored;
        Console.WriteLine($"a fine-tune that changes {100.0 * changed / first.Version.Size:F2} % of the bytes: "
            + $"{100.0 * second.UploadedBytes / first.Version.Size:F2} % sent, {100.0 * added / stored:F2} % more on the registry's disk");
    }

    /// <summary>Changes whole tensors until a tenth of the model's bytes differ; how many do.</summary>
    private static long ChangeTenth(string file, long modelBytes)
    {
        var header = SafetensorsHeader.Read(file);
        using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
        long changed = 0;
        foreach (var tensor in header.Entries.Where(tensor => tensor.ByteLength >= Change.Length))
        {
            if (changed + tensor.ByteLength <= modelBytes / 10)
            {
                RandomAccess.Write(handle, Change, header.DataStart + tensor.Begin);
                changed += tensor.ByteLength;
            }
        }

        return changed;
    }

    private static long BytesOf(string folder) => new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    private static void Shell(string command)
    {
        using var process = Process.Start("sh", ["-c", command]);
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"'{command}' ended with {process.ExitCode}");
        }
    }

    private static async Task<RegistryProcess> StartAsync(string data)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string address = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        listener.Stop();
        string program = Path.Combine(AppContext.BaseDirectory, "Fleet.Registry.dll");
        var registry = new RegistryProcess(
            Process.Start("dotnet", [program, $"--urls={address}", $"--Registry:DataPath={data}", "--Logging:LogLevel:Default=Warning"]), address);
        await registry.WaitAsync();
        return registry;
    }

    private sealed class RegistryProcess(Process process, string address) : IAsyncDisposable
    {
        public string Address => address;

        public async Task WaitAsync()
        {
            using var client = new RegistryClient(address);
            for (int attempt = 1; ; attempt++)
            {
                try
                {
                    _ = await client.ListAliasesAsync();
                    return;
                }
                catch (Grpc.Core.RpcException) when (attempt < 100)
                {
                    await Task.Delay(100);
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }
}
