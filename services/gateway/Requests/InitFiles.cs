using System.Security.Cryptography;

namespace Fleet.Gateway.Requests;

/// <summary>The file to start from and the mask file, one after the other in one array. Gives its room back when disposed.</summary>
internal sealed class InitFiles : IDisposable
{
    private readonly UploadBudget budget;
    private readonly int imageLength;
    private byte[] bytes;

    public InitFiles(UploadBudget budget, long imageLength, long maskLength)
    {
        budget.Take(imageLength + maskLength);
        this.budget = budget;
        this.imageLength = (int)imageLength;
        bytes = GC.AllocateUninitializedArray<byte>((int)(imageLength + maskLength));
    }

    /// <summary>Both files.</summary>
    public Memory<byte> Bytes => bytes;

    public ReadOnlyMemory<byte> Image => bytes.AsMemory(0, imageLength);

    public ReadOnlyMemory<byte> Mask => bytes.AsMemory(imageLength);

    /// <summary>Lower-case hexadecimal SHA-256 of a file; empty for an empty one.</summary>
    public static string Sha256(ReadOnlyMemory<byte> file) =>
        file.IsEmpty ? "" : Convert.ToHexStringLower(SHA256.HashData(file.Span));

    public void Dispose()
    {
        var dropped = Interlocked.Exchange(ref bytes, []);
        budget.Return(dropped.Length);
    }
}
