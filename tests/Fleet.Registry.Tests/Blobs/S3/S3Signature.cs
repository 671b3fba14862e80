using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Fleet.Registry.Tests.Blobs.S3;

/// <summary>Checks that a request carries AWS's Signature Version 4, made with the right key over the right request.</summary>
internal static class S3Signature
{
    public const string AccessKey = "fleet-test-access";
    public const string SecretKey = "fleet-test-secret-0123456789";

    public static bool IsValid(HttpRequest request)
    {
        // AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/s3/aws4_request, SignedHeaders=a;b, Signature=HEX
        string[] parts = request.Headers.Authorization.ToString().Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        var fields = parts.Skip(1).Select(part => part.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        if (parts.FirstOrDefault() != "AWS4-HMAC-SHA256")
        {
            return false;
        }

        string[] scope = fields["Credential"].Split('/');
        string toSign = string.Join('\n',
            parts[0], request.Headers["x-amz-date"], string.Join('/', scope[1..]), Hex(SHA256.HashData(Bytes(Canonical(request, fields["SignedHeaders"])))));
        byte[] key = scope[1..].Aggregate(Bytes("AWS4" + SecretKey), (secret, step) => HMACSHA256.HashData(secret, Bytes(step)));
        return scope[0] == AccessKey && fields["Signature"] == Hex(HMACSHA256.HashData(key, Bytes(toSign)));
    }

    private static string Canonical(HttpRequest request, string signedHeaders)
    {
        string path = request.HttpContext.Features.Get<IHttpRequestFeature>()!.RawTarget.Split('?')[0];
        var query = request.Query.OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => $"{Uri.EscapeDataString(pair.Key)}={Uri.EscapeDataString(pair.Value.ToString())}");
        var headers = signedHeaders.Split(';').Select(name => $"{name}:{request.Headers[name].ToString().Trim()}\n");
        return string.Join('\n',
            request.Method, path, string.Join('&', query), string.Concat(headers), signedHeaders, request.Headers["x-amz-content-sha256"].ToString());
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
