using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Fleet.Registry.Tests.Blobs.S3;

/// <summary>The body of a put: plain, or in signed chunks, each "hex size;chunk-signature=…", line end, bytes, line end.</summary>
internal static class AwsChunks
{
    public static async Task<byte[]> ReadAsync(HttpRequest request)
    {
        var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        return request.Headers["x-amz-content-sha256"].ToString().StartsWith("STREAMING-", StringComparison.Ordinal) ? Decode(body.ToArray()) : body.ToArray();
    }

    private static byte[] Decode(ReadOnlySpan<byte> body)
    {
        var content = new MemoryStream();
        while (true)
        {
            int end = body.IndexOf("\r\n"u8);
            int size = int.Parse(Encoding.ASCII.GetString(body[..end]).Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (size == 0)
            {
                return content.ToArray();
            }

            content.Write(body.Slice(end + 2, size));
            body = body[(end + 2 + size + 2)..];
        }
    }
}
