namespace Fleet.Diffusion.Imaging;

/// <summary>A text record of a picture file.</summary>
/// <param name="Keyword">1 to 79 printable Latin-1 characters without leading, trailing or double spaces.</param>
/// <param name="Text">Any text without NUL characters.</param>
public sealed record TextRecord(string Keyword, string Text);
