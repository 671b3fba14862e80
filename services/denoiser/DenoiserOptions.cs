using System.ComponentModel.DataAnnotations;

namespace Fleet.Denoiser;

/// <summary>Settings of the denoiser.</summary>
public sealed class DenoiserOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Denoiser";

    /// <summary>Pictures that one call of the network computes at most. Guidance makes two rows of each.</summary>
    [Range(1, 256)]
    public int MaxBatchPictures { get; set; } = 4;

    /// <summary>Pictures that are in the middle of being made at most; further jobs wait.</summary>
    [Range(1, 4096)]
    public int MaxRunningPictures { get; set; } = 16;
}

/// <summary>Where the decoder is.</summary>
public sealed class DecoderOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Decoder";

    /// <summary>Address of the decoder, for example http://decoder:8080.</summary>
    [Required]
    public required Uri Address { get; set; }
}
