namespace Fleet.Diffusion.Imaging;

/// <summary>A picture file that cannot be read, or a record that cannot be written; the message names the fault.</summary>
public sealed class PictureFormatException(string message, Exception? inner = null) : Exception(message, inner);
