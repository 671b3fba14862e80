using System.Runtime.InteropServices;

namespace Fleet.Diffusion.Weights;

/// <summary>There is no memory for weights. The message says how much is needed and how much is taken.</summary>
public sealed class WeightMemoryException(string message, bool fits, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Whether there would be room if nothing else was loaded.</summary>
    public bool Fits => fits;

    /// <summary>The exception to throw when libtorch failed because a device or the machine is out of memory; else null.</summary>
    internal static WeightMemoryException? Explaining(string component, Exception exception) =>
        exception is OutOfMemoryException || (exception is ExternalException && SaysOutOfMemory(exception.Message))
            ? new WeightMemoryException($"memory ran out while {component} was loaded: {exception.Message.Split('\n')[0]}", fits: true, exception)
            : null;

    // The allocators of the CPU, of CUDA, and mmap.
    private static bool SaysOutOfMemory(string message) =>
        message.Contains("allocate memory", StringComparison.OrdinalIgnoreCase)
        || message.Contains("not enough memory", StringComparison.OrdinalIgnoreCase)
        || message.Contains("out of memory", StringComparison.OrdinalIgnoreCase);
}
