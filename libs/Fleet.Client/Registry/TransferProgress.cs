namespace Fleet.Client.Registry;

/// <summary>What a push or pull is doing.</summary>
public enum TransferStage
{
    /// <summary>Reading the model and computing digests.</summary>
    Hashing,

    /// <summary>Sending blobs that the registry lacks.</summary>
    Uploading,

    /// <summary>Waiting for the registry to check and publish the version.</summary>
    Publishing,

    /// <summary>Receiving files.</summary>
    Downloading,

    /// <summary>Reading tensors that differ.</summary>
    Comparing,

    /// <summary>Reading and hashing what is stored.</summary>
    Verifying,
}

/// <summary>How far a push or pull is, in bytes of its stage; or a notice, for example of a file that is not taken.</summary>
public sealed record TransferProgress(TransferStage Stage, long Done, long Total, string? Notice = null);
