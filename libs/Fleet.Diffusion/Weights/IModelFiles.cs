using Fleet.Safetensors;

namespace Fleet.Diffusion.Weights;

/// <summary>The files of a model, wherever they lie. Paths have '/' between folders.</summary>
public interface IModelFiles
{
    /// <summary>The paths of the files, at the top and one folder below it.</summary>
    IReadOnlyCollection<string> Paths { get; }

    /// <summary>How messages name a file, which need not exist.</summary>
    string Describe(string path);

    /// <summary>Where a small file can be read.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    string Locate(string path);

    /// <summary>Opens a .safetensors file.</summary>
    /// <exception cref="SafetensorsFormatException">The file is not safetensors, damaged or cut.</exception>
    SafetensorsFile Open(string path);
}
