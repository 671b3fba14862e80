using System.ComponentModel.DataAnnotations;

namespace Fleet.Decoder;

/// <summary>Settings of the decoder.</summary>
public sealed class DecoderOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Decoder";

    /// <summary>Pictures of more pixels are decoded and encoded tile by tile: memory stays that of a tile, the result differs a little.</summary>
    [Range(1, long.MaxValue)]
    public long TileAbovePixels { get; set; } = 1024 * 1024;

    /// <summary>Pixels that the file of an init image or a mask may have. A file of a few kilobytes can state any size.</summary>
    [Range(1, 1L << 28)]
    public long MaxFilePixels { get; set; } = 32 * 1024 * 1024;

    /// <summary>Comparisons of pictures at once; a further one is refused with a retry hint.</summary>
    [Range(1, 64)]
    public int MaxComparisons { get; set; } = 2;
}
