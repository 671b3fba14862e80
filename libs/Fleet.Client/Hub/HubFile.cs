namespace Fleet.Client.Hub;

/// <summary>A file of a repository at a commit.</summary>
/// <param name="Path">With '/' between folders.</param>
/// <param name="Size">Bytes.</param>
/// <param name="GitSha1">What git names it by, when it is kept in git: SHA-1 of "blob SIZE\0" and its bytes. Empty otherwise.</param>
/// <param name="Sha256">What Git LFS names it by, when it is kept there. Empty otherwise.</param>
public sealed record HubFile(string Path, long Size, string GitSha1, string Sha256);

/// <summary>The files of a repository at a revision.</summary>
/// <param name="Commit">What the revision meant when it was asked.</param>
/// <param name="Files">All of them.</param>
public sealed record HubListing(string Commit, IReadOnlyList<HubFile> Files);
