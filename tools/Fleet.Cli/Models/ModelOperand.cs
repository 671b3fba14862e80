using Fleet.Client.Diff;
using Fleet.Client.Registry;

namespace Fleet.Cli.Models;

/// <summary>An argument that names a version of the registry or a model on this machine.</summary>
internal static class ModelOperand
{
    public const string Description = "a version as MODEL, MODEL@ALIAS or a digest, or a path, which begins with '.' or '/' or ends in .safetensors";

    /// <summary>Whether an argument is a path: model names begin with a letter or digit and hold no such ending.</summary>
    public static bool IsPath(string text) =>
        text.StartsWith('.') || Path.IsPathRooted(text) || text.Contains('\\') || text.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase);

    public static async Task<IModelContent> OpenAsync(
        string text, IReadOnlyList<string> configFolders, RegistryClient registry, IProgress<TransferProgress> progress, CancellationToken cancellation) =>
        IsPath(text)
            ? await LocalContent.ReadAsync(Path.GetFullPath(text), configFolders, progress, cancellation)
            : await RegistryContent.ReadAsync(registry, (await registry.ResolveAsync(text, cancellation)).Digest, cancellation);
}
