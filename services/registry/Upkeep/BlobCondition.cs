namespace Fleet.Registry.Upkeep;

/// <summary>What a verification found of a blob.</summary>
internal enum BlobCondition
{
    Intact,

    /// <summary>Its bytes were wrong; it has been set aside.</summary>
    Damaged,

    /// <summary>A version refers to it and it is not stored.</summary>
    Missing,

    /// <summary>Collected or set aside by somebody else while the verification ran, and needed by no version.</summary>
    Freed,
}
