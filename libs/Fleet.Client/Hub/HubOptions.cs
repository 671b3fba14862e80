namespace Fleet.Client.Hub;

/// <summary>Which hub, and how it is asked.</summary>
public sealed record HubOptions
{
    /// <summary>Address of a server that speaks the protocol of the Hugging Face hub.</summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>Access token; empty for none. It is sent to the endpoint's own address only, never where that redirects to.</summary>
    public string Token { get; init; } = "";

    /// <summary>Files that travel at once.</summary>
    public int FilesAtATime { get; init; } = 4;

    /// <summary>Tries of a request that failed without a reason of its own.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>Wait before the second try; it doubles with each.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the hub may send nothing.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);
}
