using System.Security.Cryptography;
using System.Text;

namespace Fleet.Client.Hub;

/// <summary>Adds up a file's bytes as the hub names them: SHA-256 of what Git LFS keeps, else SHA-1 as git computes it of a blob.</summary>
internal sealed class HubContentHash : IDisposable
{
    private readonly HubFile file;
    private readonly IncrementalHash hash;

    public HubContentHash(HubFile file)
    {
        this.file = file;
        hash = IncrementalHash.CreateHash(file.Sha256 != "" ? HashAlgorithmName.SHA256 : HashAlgorithmName.SHA1);
        Restart();
    }

    public void Append(ReadOnlySpan<byte> data) => hash.AppendData(data);

    public void Restart()
    {
        _ = hash.GetHashAndReset();
        if (file.Sha256 == "")
        {
            hash.AppendData(Encoding.ASCII.GetBytes($"blob {file.Size}\0"));
        }
    }

    /// <summary>Whether all that was added is the file.</summary>
    public bool IsRight() => Convert.ToHexStringLower(hash.GetCurrentHash()) == (file.Sha256 != "" ? file.Sha256 : file.GitSha1);

    public void Dispose() => hash.Dispose();
}
