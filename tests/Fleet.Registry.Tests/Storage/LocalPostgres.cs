using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Fleet.Testing;

namespace Fleet.Registry.Tests.Storage;

/// <summary>A PostgreSQL server of the tests' own, from the newest one that Debian's packages installed.</summary>
internal sealed class LocalPostgres : IPostgresServer
{
    // initdb and postgres refuse to run as root.
    private static readonly string[] Users = ["postgres", "nobody"];

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly TemporaryFolder folder = new();
    private readonly string programs;
    private readonly string? user;
    private Process? server;

    private LocalPostgres(string programs, string? user)
    {
        this.programs = programs;
        this.user = user;
    }

    public int Port { get; } = FreePort();

    public string ConnectionString => $"Host=127.0.0.1;Port={Port};Username=fleet;Database=postgres";

    private string Data => folder["data"];

    public static async Task<LocalPostgres> StartAsync()
    {
        string programs = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(path => int.Parse(Path.GetFileName(path), null)).Select(path => Path.Combine(path, "bin")).First()
            : throw new InvalidOperationException("/usr/lib/postgresql is not there");
        string? user = Environment.UserName == "root" ? Users.First(IsUser) : null;
        var started = new LocalPostgres(programs, user);
        await started.InitializeAsync();
        await started.RestartAsync();
        return started;
    }

    /// <summary>Ends the server at once (SIGKILL), as when its machine loses power.</summary>
    public async Task KillAsync()
    {
        server!.Kill(entireProcessTree: true);
        await server.WaitForExitAsync();
        server.Dispose();
        server = null;
    }

    /// <summary>Stops the server from running, as when its machine hangs: connections stay open and nothing answers.</summary>
    public Task FreezeAsync() => SignalAsync("STOP");

    public Task ThawAsync() => SignalAsync("CONT");

    public async Task RestartAsync()
    {
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var log = new List<string>();
        server = Start("postgres", "-D", Data, "-k", Data, "-p", $"{Port}", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=300");
        server.ErrorDataReceived += (_, line) =>
        {
            log.Add(line.Data ?? "");
            if (line.Data?.EndsWith("database system is ready to accept connections", StringComparison.Ordinal) == true)
            {
                _ = ready.TrySetResult();
            }
        };
        server.Exited += (_, _) => ready.TrySetException(new InvalidOperationException($"postgres ended: {string.Join('\n', log)}"));
        server.EnableRaisingEvents = true;
        server.BeginErrorReadLine();
        server.BeginOutputReadLine();
        await ready.Task.WaitAsync(Patience);
    }

    public async ValueTask DisposeAsync()
    {
        if (server is not null)
        {
            await KillAsync();
        }

        folder.Dispose();
    }

    private static bool IsUser(string name) => File.ReadLines("/etc/passwd").Any(line => line.StartsWith(name + ":", StringComparison.Ordinal));

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task SignalAsync(string signal)
    {
        string[] sessions = (await File.ReadAllTextAsync($"/proc/{server!.Id}/task/{server.Id}/children")).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        using var kill = Process.Start("kill", [$"-{signal}", $"{server.Id}", .. sessions]);
        await kill.WaitForExitAsync();
    }

    private async Task InitializeAsync()
    {
        if (user is not null)
        {
            using var owner = Process.Start("chown", [user, folder.Path]);
            await owner.WaitForExitAsync();
        }

        using var init = Start("initdb", "-D", Data, "-U", "fleet", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8");
        string output = await init.StandardOutput.ReadToEndAsync() + await init.StandardError.ReadToEndAsync();
        await init.WaitForExitAsync();
        if (init.ExitCode != 0)
        {
            throw new InvalidOperationException($"initdb failed: {output}");
        }
    }

    private Process Start(string program, params string[] arguments)
    {
        string[] command = [Path.Combine(programs, program), .. arguments];
        string[] asUser = user is null ? command : ["setpriv", $"--reuid={user}", "--clear-groups", .. command];
        return Process.Start(new ProcessStartInfo(asUser[0], asUser[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder.Path,
        })!;
    }
}
