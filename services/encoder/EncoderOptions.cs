using System.ComponentModel.DataAnnotations;

namespace Fleet.Encoder;

/// <summary>Settings of the encoder.</summary>
public sealed class EncoderOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Encoder";

    /// <summary>Chunks of 75 tokens that a prompt may take.</summary>
    [Range(1, 1024)]
    public int MaxChunks { get; set; } = 32;
}
