using System.Runtime.InteropServices;
using TorchSharp;

namespace Fleet.Diffusion;

/// <summary>The native libtorch could not be loaded. The message says what is missing and what to do.</summary>
public sealed class TorchUnavailableException(string message, Exception inner) : Exception(message, inner);

/// <summary>Loads the native libtorch, once, with an error that a person can act on.</summary>
public static class TorchRuntime
{
    private static readonly Lazy<string> Loaded = new(Load);

    /// <summary>Version of the loaded libtorch.</summary>
    /// <exception cref="TorchUnavailableException">libtorch cannot be loaded.</exception>
    public static string Version => Loaded.Value;

    /// <summary>Loads libtorch if it is not loaded yet.</summary>
    /// <exception cref="TorchUnavailableException">libtorch cannot be loaded.</exception>
    public static void EnsureLoaded() => _ = Loaded.Value;

    private static string Load()
    {
        try
        {
            LoadNativeLibraries();
            using var one = torch.ones(1);
            return torch.__version__;
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or NotSupportedException or EntryPointNotFoundException)
        {
            throw new TorchUnavailableException(Explain(e), e);
        }
    }

    // Each in turn and by its path, so that the loader names what is missing. TorchSharp's own search would copy packages about and
    // print pages before it gives up.
    private static void LoadNativeLibraries()
    {
        // The portable name: a distribution's own build of .NET calls its runtime after itself.
        var (system, prefix, extension) =
            OperatingSystem.IsWindows() ? ("win", "", ".dll") : OperatingSystem.IsMacOS() ? ("osx", "lib", ".dylib") : ("linux", "lib", ".so");
        string architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        string folder = Path.Combine(AppContext.BaseDirectory, "runtimes", $"{system}-{architecture}", "native");
        if (!Directory.Exists(folder))
        {
            return; // published for one system: the libraries lie beside the program
        }

        foreach (string name in new[] { "c10", "torch_cpu", "torch", "LibTorchSharp" })
        {
            NativeLibrary.Load(Path.Combine(folder, $"{prefix}{name}{extension}"));
        }
    }

    private static string Explain(Exception e)
    {
        string detail = e.GetBaseException().Message.ReplaceLineEndings(" ").Trim();
        string remedy =
            detail.Contains("GLIBCXX", StringComparison.Ordinal)
                ? "The C++ runtime is older than libtorch asks for: use the libLibTorchSharp.so that the build writes to artifacts/torch-native, or install libstdc++6 of GCC 13 or newer"
            : detail.Contains("libgomp", StringComparison.Ordinal) ? "Install the OpenMP runtime (Debian and Ubuntu: apt-get install libgomp1)"
            : !Environment.Is64BitProcess || RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64)
                ? $"There is no libtorch for {RuntimeInformation.OSDescription} on {RuntimeInformation.ProcessArchitecture}; use a 64-bit x86 machine"
            : "Build the project again ('dotnet build' restores the native packages), and check that the 'runtimes' folder beside the program holds libtorch for this system";
        return $"libtorch cannot be loaded on {RuntimeInformation.RuntimeIdentifier} from {AppContext.BaseDirectory}. {remedy}. Cause: {detail}";
    }
}
