using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Fleet.Registry.Tests.Blobs.S3;

/// <summary>
/// As much of S3 as the registry uses, with objects as files under a folder: signed requests, put, get with ranges, head, delete, copy, listing
/// and multipart uploads. A test can make it fail, stall or break off.
/// </summary>
internal sealed class S3Server : IAsyncDisposable
{
    private const string BucketName = "fleet-models";
    private const int PageSize = 100;

    private readonly WebApplication app;
    private readonly string root;
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<int, byte[]>> uploads = new();

    private S3Server(WebApplication app, string root)
    {
        this.app = app;
        this.root = root;
        app.Run(AnswerAsync);
    }

    /// <summary>Where the registry's blobs lie as files.</summary>
    public string BlobFolder => Path.Combine(root, "registry", "blobs");

    public string DamagedFolder => Path.Combine(root, "registry", "damaged");

    /// <summary>The registry's settings for this store.</summary>
    public string[] Settings =>
    [
        $"--Registry:Blobs=s3://{BucketName}/registry", $"--Registry:S3:Endpoint={app.Urls.Single()}", "--Registry:S3:ForcePathStyle=true",
        $"--Registry:S3:AccessKey={S3Signature.AccessKey}", $"--Registry:S3:SecretKey={S3Signature.SecretKey}", "--Registry:S3:PartBytes=5242880",
    ];

    /// <summary>Called before each request is answered. One that returns a status ends the request with it; one that waits stalls it.</summary>
    public Func<HttpRequest, Task<int?>> Before { get; set; } = _ => Task.FromResult<int?>(null);

    /// <summary>Bytes after which the next answers with a body break off, one for each.</summary>
    public ConcurrentQueue<int> Breaks { get; } = new();

    public int UnfinishedUploads => uploads.Count;

    public static async Task<S3Server> StartAsync(string folder)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = new S3Server(builder.Build(), Directory.CreateDirectory(folder).FullName);
        await server.app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync(new CancellationToken(canceled: true));
        await app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        if (await Before(request) is { } status)
        {
            await FailAsync(context, status, "InternalError");
        }
        else if (!S3Signature.IsValid(request))
        {
            await FailAsync(context, StatusCodes.Status403Forbidden, "SignatureDoesNotMatch");
        }
        else if (request.Path.Value!.Trim('/') == BucketName)
        {
            await ListAsync(context);
        }
        else
        {
            await AnswerForObjectAsync(context, request.Path.Value[$"/{BucketName}/".Length..]);
        }
    }

    private Task AnswerForObjectAsync(HttpContext context, string key)
    {
        var query = context.Request.Query;
        return context.Request.Method switch
        {
            "PUT" when query.ContainsKey("partNumber") => PutPartAsync(context),
            "PUT" when context.Request.Headers.ContainsKey("x-amz-copy-source") => CopyAsync(context, key),
            "PUT" => PutAsync(context, key),
            "POST" when query.ContainsKey("uploads") => BeginPartsAsync(context, key),
            "POST" => CompletePartsAsync(context, key),
            "DELETE" when query.ContainsKey("uploadId") => AbortPartsAsync(context),
            "DELETE" => DeleteAsync(context, key),
            _ => GetAsync(context, key),
        };
    }

    private async Task PutAsync(HttpContext context, string key)
    {
        byte[] content = await AwsChunks.ReadAsync(context.Request);
        string? checksum = context.Request.Headers["x-amz-checksum-sha256"];
        if (checksum is not null && checksum != Convert.ToBase64String(SHA256.HashData(content)))
        {
            await FailAsync(context, StatusCodes.Status400BadRequest, "BadDigest");
            return;
        }

        Write(key, content);
        context.Response.Headers.ETag = Tag(content);
    }

    private async Task PutPartAsync(HttpContext context)
    {
        byte[] content = await AwsChunks.ReadAsync(context.Request);
        uploads[context.Request.Query["uploadId"]!][int.Parse(context.Request.Query["partNumber"]!)] = content;
        context.Response.Headers.ETag = Tag(content);
    }

    private Task BeginPartsAsync(HttpContext context, string key)
    {
        string upload = Guid.NewGuid().ToString("N");
        uploads[upload] = new();
        return XmlAsync(context, new XElement("InitiateMultipartUploadResult",
            new XElement("Bucket", BucketName), new XElement("Key", key), new XElement("UploadId", upload)));
    }

    private async Task CompletePartsAsync(HttpContext context, string key)
    {
        var named = await XDocument.LoadAsync(context.Request.Body, LoadOptions.None, context.RequestAborted);
        _ = uploads.TryRemove(context.Request.Query["uploadId"]!, out var parts);
        var numbers = named.Descendants().Where(element => element.Name.LocalName == "PartNumber").Select(element => int.Parse(element.Value));
        Write(key, [.. numbers.SelectMany(number => parts![number])]);
        await XmlAsync(context, new XElement("CompleteMultipartUploadResult", new XElement("Key", key), new XElement("ETag", "\"parts\"")));
    }

    private Task AbortPartsAsync(HttpContext context)
    {
        _ = uploads.TryRemove(context.Request.Query["uploadId"]!, out _);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private Task CopyAsync(HttpContext context, string key)
    {
        string source = Uri.UnescapeDataString(context.Request.Headers["x-amz-copy-source"]!).TrimStart('/')[$"{BucketName}/".Length..];
        Write(key, File.ReadAllBytes(PathOf(source)));
        return XmlAsync(context, new XElement("CopyObjectResult", new XElement("ETag", "\"copy\"")));
    }

    private Task DeleteAsync(HttpContext context, string key)
    {
        File.Delete(PathOf(key));
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private async Task GetAsync(HttpContext context, string key)
    {
        if (!File.Exists(PathOf(key)))
        {
            await FailAsync(context, StatusCodes.Status404NotFound, "NoSuchKey");
            return;
        }

        byte[] content = await File.ReadAllBytesAsync(PathOf(key));
        var body = content.AsMemory();
        if (context.Request.GetTypedHeaders().Range?.Ranges.Single() is { } range)
        {
            body = content.AsMemory((int)range.From!..((int)range.To! + 1));
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {range.From}-{range.To}/{content.Length}";
        }

        context.Response.Headers.ETag = Tag(content);
        context.Response.ContentLength = body.Length;
        if (context.Request.Method == "HEAD")
        {
            return;
        }

        if (Breaks.TryDequeue(out int breakAfter) && breakAfter < body.Length)
        {
            await context.Response.Body.WriteAsync(body[..breakAfter]);
            await context.Response.Body.FlushAsync();
            context.Abort();
            return;
        }

        await context.Response.Body.WriteAsync(body);
    }

    private Task ListAsync(HttpContext context)
    {
        string prefix = context.Request.Query["prefix"].ToString();
        string after = context.Request.Query["continuation-token"].ToString();
        var keys = Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(root, file))
            .Where(key => key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(key, after) > 0)
            .Order(StringComparer.Ordinal).Take(PageSize + 1).ToList();
        var page = keys.Take(PageSize).ToList();
        return XmlAsync(context, new XElement("ListBucketResult",
            new XElement("Name", BucketName), new XElement("IsTruncated", keys.Count > PageSize ? "true" : "false"),
            keys.Count > PageSize ? new XElement("NextContinuationToken", page[^1]) : null,
            page.Select(key => new XElement("Contents", new XElement("Key", key), new XElement("Size", new FileInfo(PathOf(key)).Length)))));
    }

    private static Task FailAsync(HttpContext context, int status, string code)
    {
        context.Response.StatusCode = status;
        return context.Request.Method == "HEAD" ? Task.CompletedTask : XmlAsync(context, new XElement("Error", new XElement("Code", code)));
    }

    private static Task XmlAsync(HttpContext context, XElement root)
    {
        context.Response.ContentType = "application/xml";
        return context.Response.WriteAsync(root.ToString());
    }

    private static string Tag(byte[] content) => $"\"{Convert.ToHexStringLower(MD5.HashData(content))}\"";

    // Under another name first: an object is never seen in part.
    private void Write(string key, byte[] content)
    {
        string path = PathOf(key);
        _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string temporary = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.WriteAllBytes(temporary, content);
        File.Move(temporary, path, overwrite: true);
    }

    private string PathOf(string key) => Path.Combine(root, key);
}
