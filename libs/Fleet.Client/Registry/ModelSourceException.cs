namespace Fleet.Client.Registry;

/// <summary>A file or folder on this machine that cannot be pushed as a model: which one, and why.</summary>
public sealed class ModelSourceException(string path, string fault) : Exception($"{path}: {fault}");
