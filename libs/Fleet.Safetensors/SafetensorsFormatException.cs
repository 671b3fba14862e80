namespace Fleet.Safetensors;

/// <summary>A file that is not usable as safetensors. The message names the file, the fault and, where there is one, the remedy.</summary>
public sealed class SafetensorsFormatException(string file, string fault) : Exception($"{file}: {fault}")
{
    /// <summary>The file as the caller named it.</summary>
    public string File { get; } = file;

    /// <summary>What is wrong with it.</summary>
    public string Fault { get; } = fault;
}
