namespace Fleet.Registry.Publishing;

/// <summary>A version that no service could load: the file and what is wrong with it.</summary>
internal sealed class UnusableModelException(string file, string fault) : Exception($"{file}: {fault}");
