using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Fleet.Registry.Tests.Client.Hub;

/// <summary>A request that the server got: at which of its two addresses, and what was asked.</summary>
internal sealed record SeenRequest(bool AtContentHost, string Path, string? Authorization, string? Range);

/// <summary>A server with the hub's protocol for one repository, "studio/fox". Files above a size are redirected to a second address, as LFS files are.</summary>
internal sealed class HubServer : IAsyncDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private const int LargeBytes = 1000;
    private const int PageFiles = 5;

    private readonly WebApplication hub = Build();
    private readonly WebApplication content = Build();
    private readonly ConcurrentDictionary<string, int> served = new();

    public SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    public ConcurrentQueue<SeenRequest> Seen { get; } = [];

    /// <summary>What the body of the nth answer (from 0) for a path becomes: cut, changed or left.</summary>
    public Func<string, int, byte[], byte[]> Spoil { get; set; } = (_, _, body) => body;

    public bool KnowsRanges { get; set; } = true;

    public string Token { get; set; } = "";

    public bool Gated { get; set; }

    public Uri Address => new(hub.Urls.Single());

    public static async Task<HubServer> StartAsync()
    {
        var server = new HubServer();
        server.hub.MapGet("/api/models/studio/fox/revision/{revision}", server.About);
        server.hub.MapGet("/api/models/studio/fox/tree/{commit}", server.Tree);
        server.hub.MapGet("/studio/fox/resolve/{commit}/{**path}", server.ResolveAsync);
        server.hub.MapFallback(context => RefuseAsync(context, 404, "RepoNotFound", "Repository not found"));
        server.content.MapGet("/blobs/{**path}", server.SendAsync);
        await server.hub.StartAsync();
        await server.content.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await hub.DisposeAsync();
        await content.DisposeAsync();
    }

    private static WebApplication Build()
    {
        var builder = WebApplication.CreateSlimBuilder(["--urls=http://127.0.0.1:0"]);
        builder.Logging.ClearProviders();
        return builder.Build();
    }

    private static async Task RefuseAsync(HttpContext context, int status, string code, string message)
    {
        context.Response.StatusCode = status;
        context.Response.Headers["X-Error-Code"] = code;
        context.Response.Headers["X-Error-Message"] = message;
        await context.Response.CompleteAsync();
    }

    private async Task<bool> AdmitAsync(HttpContext context)
    {
        Seen.Enqueue(new SeenRequest(false, context.Request.Path, context.Request.Headers.Authorization, context.Request.Headers.Range));
        if (Gated)
        {
            await RefuseAsync(context, 403, "GatedRepo", "Access to model studio/fox is restricted");
        }
        else if (Token != "" && context.Request.Headers.Authorization != $"Bearer {Token}")
        {
            await RefuseAsync(context, 401, "RepoNotFound", "Repository Not Found"); // the hub does not say whether it is there
        }
        else
        {
            return true;
        }

        return false;
    }

    private async Task About(HttpContext context)
    {
        if (!await AdmitAsync(context))
        {
            return;
        }

        string revision = Uri.UnescapeDataString((string)context.Request.RouteValues["revision"]!); // its slashes come escaped
        if (revision is "main" or "refs/pr/1" or Commit)
        {
            await context.Response.WriteAsJsonAsync(new { id = "studio/fox", sha = Commit });
        }
        else
        {
            await RefuseAsync(context, 404, "RevisionNotFound", "Invalid rev id");
        }
    }

    private async Task Tree(HttpContext context)
    {
        if (!await AdmitAsync(context))
        {
            return;
        }

        int start = int.Parse(context.Request.Query["cursor"].FirstOrDefault() ?? "0");
        if (start + PageFiles < Files.Count)
        {
            context.Response.Headers.Link = $"<{Address}api/models/studio/fox/tree/{Commit}?recursive=true&cursor={start + PageFiles}>; rel=\"next\"";
        }

        await context.Response.WriteAsJsonAsync(Files.Skip(start).Take(PageFiles).Select(Entry).Prepend(new Dictionary<string, object>
        {
            ["type"] = "directory",
            ["path"] = "unet",
            ["oid"] = "0",
            ["size"] = 0,
        }));
    }

    private static Dictionary<string, object> Entry(KeyValuePair<string, byte[]> file)
    {
        var entry = new Dictionary<string, object> { ["type"] = "file", ["path"] = file.Key, ["size"] = file.Value.Length, ["oid"] = GitName(file.Value) };
        if (file.Value.Length > LargeBytes)
        {
            entry["lfs"] = new { oid = Convert.ToHexStringLower(SHA256.HashData(file.Value)), size = file.Value.Length, pointerSize = 130 };
        }

        return entry;
    }

    private static string GitName(byte[] bytes) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {bytes.Length}\0"), .. bytes]));

    private async Task ResolveAsync(HttpContext context)
    {
        if (!await AdmitAsync(context))
        {
            return;
        }

        byte[] file = Files[(string)context.Request.RouteValues["path"]!];
        context.Response.Headers["X-Repo-Commit"] = Commit;
        if (file.Length <= LargeBytes)
        {
            context.Response.Headers.ETag = $"\"{GitName(file)}\"";
            await SendBodyAsync(context);
            return;
        }

        context.Response.Headers["X-Linked-Etag"] = $"\"{Convert.ToHexStringLower(SHA256.HashData(file))}\"";
        context.Response.Headers["X-Linked-Size"] = $"{file.Length}";
        context.Response.Redirect($"{content.Urls.Single()}/blobs/{context.Request.RouteValues["path"]}");
    }

    private async Task SendAsync(HttpContext context)
    {
        Seen.Enqueue(new SeenRequest(true, context.Request.Path, context.Request.Headers.Authorization, context.Request.Headers.Range));
        context.Response.Headers.ETag = "\"of the store, not of the file\"";
        await SendBodyAsync(context);
    }

    private async Task SendBodyAsync(HttpContext context)
    {
        string path = (string)context.Request.RouteValues["path"]!;
        byte[] file = Files[path];
        int from = KnowsRanges && context.Request.Headers.Range.FirstOrDefault() is { } range ? int.Parse(range["bytes=".Length..^1]) : 0;
        byte[] body = Spoil(path, served.AddOrUpdate(path, 0, (_, n) => n + 1), file[from..]);
        context.Response.StatusCode = from > 0 ? 206 : 200;
        context.Response.ContentLength = file.Length - from;
        await context.Response.Body.WriteAsync(body);
        await context.Response.Body.FlushAsync();
        if (body.Length < file.Length - from)
        {
            context.Abort();
        }
    }
}
