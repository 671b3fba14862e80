namespace Fleet.Client.Hub;

/// <summary>Why something could not be had from a hub.</summary>
public enum HubFault
{
    /// <summary>No such repository, revision or file; or one that this token may not see.</summary>
    NotFound,

    /// <summary>The hub wants a token, another token, or that its terms be accepted first.</summary>
    NotAllowed,

    /// <summary>The hub cannot be reached, or fails.</summary>
    Unavailable,

    /// <summary>Bytes arrived that are not those that the hub promised.</summary>
    Damaged,

    /// <summary>There is nothing there that can be imported.</summary>
    Unusable,
}

/// <summary>A hub did not give what was asked for.</summary>
public sealed class HubException(HubFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Why.</summary>
    public HubFault Fault { get; } = fault;
}
