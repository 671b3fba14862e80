using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Fleet.Cli.Tests;

/// <summary>POSIX signals, as a terminal or a service manager sends them.</summary>
internal static class Signals
{
    public const int Interrupt = 2;
    public const int Terminate = 15;

    /// <summary>Whether this process, and so those it starts, ignore Ctrl-C: shells start background jobs so.</summary>
    public static bool InterruptIsIgnored
    {
        get
        {
            const string Field = "SigIgn:";
            string? mask = File.Exists("/proc/self/status") ? File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(Field)) : null;
            return mask is not null && (Convert.ToUInt64(mask[Field.Length..].Trim(), 16) & (1UL << (Interrupt - 1))) != 0;
        }
    }

    public static void Send(Process process, int signal)
    {
        if (OperatingSystem.IsWindows())
        {
            process.Kill();
        }
        else
        {
            kill(process.Id, signal).Should().Be(0);
        }
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int kill(int pid, int signal);
}
