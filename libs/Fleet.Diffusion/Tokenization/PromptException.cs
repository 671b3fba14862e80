namespace Fleet.Diffusion.Tokenization;

/// <summary>A text that cannot be encoded; the message says where and why.</summary>
public sealed class PromptException(string message) : Exception(message);
