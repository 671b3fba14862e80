using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Fleet.Cli.Tests;

/// <summary>POSIX signals, as a terminal or a service manager sends them.</summary>
internal static class Signals
{
    public const int Interrupt = 2;
    public const int Terminate = 15;

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
