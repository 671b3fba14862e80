using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Fleet.Testing;

/// <summary>
/// One service of the fleet as a process of its own, from the build output beside the tests. It keeps its address over restarts. Killed when
/// disposed.
/// </summary>
public sealed partial class ServiceProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly string service;
    private readonly IReadOnlyList<string> settings;
    private readonly IReadOnlyList<string> wrapper;
    private readonly ConcurrentQueue<string> log = new();
    private Process? process;

    private ServiceProcess(string service, IReadOnlyList<string> settings, IReadOnlyList<string> wrapper)
    {
        this.service = service;
        this.settings = settings;
        this.wrapper = wrapper;
    }

    /// <summary>Where it listens, for example "http://127.0.0.1:41234".</summary>
    public string Address { get; private set; } = "http://127.0.0.1:0";

    /// <summary>Process id.</summary>
    public int Id => process!.Id;

    /// <summary>True once the process has ended.</summary>
    public bool HasExited => process!.HasExited;

    /// <summary>What it wrote, over all its restarts.</summary>
    public string Log => string.Join('\n', log);

    /// <summary>Starts "registry", "encoder", "denoiser", "decoder" or "gateway" on a free port and waits until it listens.</summary>
    /// <param name="service">Which one.</param>
    /// <param name="settings">Configuration keys as on its command line: "--Key:Sub=value".</param>
    public static Task<ServiceProcess> StartAsync(string service, params IReadOnlyList<string> settings) => StartUnderAsync([], service, settings);

    /// <summary>Starts a service under another program, for example strace.</summary>
    public static async Task<ServiceProcess> StartUnderAsync(IReadOnlyList<string> wrapper, string service, IReadOnlyList<string> settings)
    {
        var started = new ServiceProcess(service, settings, wrapper);
        await started.StartAsync();
        return started;
    }

    /// <summary>The file that <c>dotnet</c> runs.</summary>
    public static string PathOf(string service)
    {
        string name = "Fleet." + char.ToUpperInvariant(service[0]) + service[1..];
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Name;
        return Path.Combine(Repository.Root, "artifacts", "bin", name, configuration, name + ".dll");
    }

    /// <summary>Ends the process at once (SIGKILL), as a crash would.</summary>
    public async Task KillAsync()
    {
        process!.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
    }

    /// <summary>Kills it if it runs and starts it again at the same address.</summary>
    public async Task RestartAsync()
    {
        if (!HasExited)
        {
            await KillAsync();
        }

        process!.Dispose();
        await StartAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (process is not null)
        {
            if (!process.HasExited)
            {
                await KillAsync();
            }

            process.Dispose();
        }
    }

    private async Task StartAsync()
    {
        string[] command = [.. wrapper, "dotnet", PathOf(service), $"--urls={Address}", .. settings];
        var listening = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        process = new Process
        {
            StartInfo = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true },
            EnableRaisingEvents = true,
        };
        process.StartInfo.Environment["Logging__LogLevel__Microsoft.Hosting.Lifetime"] = "Information";
        process.OutputDataReceived += (_, line) => Read(line.Data, listening);
        process.ErrorDataReceived += (_, line) => Read(line.Data, listening);
        process.Exited += (_, _) => listening.TrySetException(new InvalidOperationException($"The {service} ended before it listened:\n{Log}"));
        _ = process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        Address = await listening.Task.WaitAsync(Patience);
    }

    private void Read(string? line, TaskCompletionSource<string> listening)
    {
        if (line is null)
        {
            return;
        }

        log.Enqueue(line);
        if (NowListening().Match(line) is { Success: true } match)
        {
            listening.TrySetResult(match.Groups["address"].Value);
        }
    }

    [GeneratedRegex("Now listening on: (?<address>http://[^ ]+)")]
    private static partial Regex NowListening();
}
