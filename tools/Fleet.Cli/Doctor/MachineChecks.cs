using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Doctor;

/// <summary>What the machine offers.</summary>
internal static class MachineChecks
{
    private const long GiB = 1L << 30;

    public static Finding Runtime() => Finding.Ok(
        ".NET", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}");

    public static Finding Processor()
    {
        string detail = $"{Environment.ProcessorCount} cores for this process";
        return RuntimeInformation.ProcessArchitecture == Architecture.X64 && !Avx2.IsSupported
            ? Finding.Warning("processor", $"{detail}, without AVX2", "libtorch will be several times slower than on a processor with AVX2")
            : Finding.Ok("processor", detail);
    }

    public static Finding Memory()
    {
        var memory = GC.GetGCMemoryInfo();
        long total = memory.TotalAvailableMemoryBytes, free = total - memory.MemoryLoadBytes;
        string detail = $"{Units.Bytes(free)} free of {Units.Bytes(total)}";
        return free < 6 * GiB
            ? Finding.Warning("memory", detail, "a Stable Diffusion 1.5 model in float32 takes about 4.5 GiB and 1 to 2 GiB more at work")
            : Finding.Ok("memory", detail);
    }

    public static Finding Home()
    {
        string probe = Path.Combine(FleetHome.Folder, $".doctor-{Guid.NewGuid():n}");
        try
        {
            Directory.CreateDirectory(FleetHome.Folder);
            File.WriteAllText(probe, "written by 'fleet doctor'");
            File.Move(probe, probe + ".moved");
            File.Delete(probe + ".moved");
            return Finding.Ok("data folder", $"{FleetHome.Folder} can be written");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Finding.Fault(
                "data folder", $"{FleetHome.Folder}: {exception.Message}", $"make it writable, or name another folder with {FleetHome.Variable}");
        }
    }

    public static Finding Disk()
    {
        string folder = FleetHome.Folder;
        while (!Directory.Exists(folder))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        long free = new DriveInfo(folder).AvailableFreeSpace;
        string detail = $"{Units.Bytes(free)} free at {folder}";
        return free switch
        {
            < GiB / 4 => Finding.Fault("disk", detail, $"make room, or name a folder on another disk with {FleetHome.Variable}"),
            < 10 * GiB => Finding.Warning("disk", detail, "a Stable Diffusion 1.5 model takes 2 to 4 GiB in the registry and again as a local version"),
            _ => Finding.Ok("disk", detail),
        };
    }

    public static Finding Loopback()
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            using var client = new TcpClient();
            client.Connect((IPEndPoint)listener.LocalEndpoint);
            return Finding.Ok("loopback", "a port can be opened and reached on 127.0.0.1");
        }
        catch (SocketException exception)
        {
            return Finding.Fault("loopback", exception.Message, "the services of a fleet speak over 127.0.0.1: allow it in firewall and sandbox");
        }
    }

    public static Finding Port(string service, int port, string option)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return Finding.Ok($"port {port}", $"free for the {service} of 'fleet up'");
        }
        catch (SocketException)
        {
            return Finding.Warning($"port {port}", $"taken, perhaps by a fleet that is up", $"another one needs 'fleet up {option} N'");
        }
    }
}
