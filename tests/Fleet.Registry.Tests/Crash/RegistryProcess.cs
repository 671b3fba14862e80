using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Fleet.Registry.Tests.Crash;

/// <summary>A registry in a process of its own, to be killed and started again at the same address over the same data.</summary>
internal sealed class RegistryProcess(string dataPath) : IAsyncDisposable
{
    private readonly int port = FreePort();
    private Process? process;

    public string Address => $"http://127.0.0.1:{port}";

    public int Id => process!.Id;

    public bool HasExited => process!.HasExited;

    /// <summary>All work on one thread, so that a tracer that counts calls by thread counts all of them.</summary>
    public bool OneWorker { get; init; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        string dll = Path.Combine(Repository.Root, "artifacts", "bin", "Fleet.Registry", "release", "Fleet.Registry.dll");
        var start = new ProcessStartInfo("dotnet",
            [dll, $"--urls={Address}", $"--Registry:DataPath={dataPath}", "--Logging:LogLevel:Default=Error", "--Logging:LogLevel:Fleet=None"]);
        if (OneWorker)
        {
            start.Environment["DOTNET_ThreadPool_ForceMinWorkerThreads"] = "1"; // the most is never below the least
            start.Environment["DOTNET_ThreadPool_ForceMaxWorkerThreads"] = "1";
        }

        process = Process.Start(start)!;
        while (!await AcceptsAsync(cancellationToken))
        {
            process.HasExited.Should().BeFalse("the registry has to start");
            await Task.Delay(20, cancellationToken);
        }
    }

    /// <summary>SIGKILL.</summary>
    public Task KillAsync()
    {
        process!.Kill();
        return ExitAsync();
    }

    public Task ExitAsync() => process!.WaitForExitAsync(CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
        {
            await KillAsync();
            process.Dispose();
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<bool> AcceptsAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
