namespace Fleet.Signing;

/// <summary>A signature that cannot be read, that was not made by the key, or that does not say what it would have to: which of these, in words.</summary>
public sealed class SignatureException(string message, Exception? inner = null) : Exception(message, inner);
