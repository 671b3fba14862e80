using System.Net;
using System.Net.Http.Headers;

namespace Fleet.Client.Hub;

/// <summary>Requests to a hub: redirects followed with the token kept at home, refusals told in words.</summary>
internal sealed class HubRequests(HubOptions options) : IDisposable
{
    private const int MaxRedirects = 10;

    // Redirects are followed here: the handler would not keep apart which host the token is for.
    private readonly HttpClient http = new(new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(10) })
    {
        Timeout = Timeout.InfiniteTimeSpan, // a download takes as long as it takes; who reads it watches that it moves
    };

    public Uri Address(string path) => new(options.Endpoint.AbsoluteUri.TrimEnd('/') + "/" + path);

    /// <summary>Answers the response that has the content, its headers read, and those headers of responses before it that describe the file.</summary>
    public async Task<HubResponse> GetAsync(Uri address, long from, CancellationToken cancellationToken)
    {
        string commit = "", etag = "";
        for (int redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.UserAgent.ParseAdd("fleet/0.1");
            if (options.Token != "" && Uri.Compare(address, options.Endpoint, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0)
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", options.Token);
            }

            if (from > 0)
            {
                request.Headers.Range = new RangeHeaderValue(from, null);
            }

            var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            commit = Header(response, "X-Repo-Commit") ?? commit;
            etag = Header(response, "X-Linked-Etag") ?? (etag == "" ? Header(response, "ETag") : null) ?? etag;
            if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
                or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
            {
                return response.IsSuccessStatusCode ? new HubResponse(response, commit, Plain(etag)) : throw await RefusalAsync(response, address, cancellationToken);
            }

            var location = response.Headers.Location;
            response.Dispose();
            if (location is null || redirects == MaxRedirects)
            {
                throw new HubException(HubFault.Unavailable, $"{address} redirects to nowhere");
            }

            address = new Uri(address, location);
        }
    }

    public void Dispose() => http.Dispose();

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.First() : null;

    // An entity tag is quoted, and a weak one has a mark before it.
    private static string Plain(string etag) => (etag.StartsWith("W/", StringComparison.Ordinal) ? etag[2..] : etag).Trim('"');

    private async Task<Exception> RefusalAsync(HttpResponseMessage response, Uri address, CancellationToken cancellationToken)
    {
        using (response)
        {
            string code = Header(response, "X-Error-Code") ?? "";
            string words = Header(response, "X-Error-Message") ?? $"{(int)response.StatusCode} {response.ReasonPhrase}";
            string message = $"{address.GetLeftPart(UriPartial.Path)}: {words}";
            return (response.StatusCode, code) switch
            {
                (_, "GatedRepo") => new HubException(HubFault.NotAllowed,
                    message + "; accept the repository's terms on the hub, then give a token of that account (HF_TOKEN or --hub-token-file)"),
                (_, "RepoNotFound" or "RevisionNotFound" or "EntryNotFound") or (HttpStatusCode.NotFound, _) => new HubException(HubFault.NotFound, message),
                (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, _) => new HubException(HubFault.NotAllowed,
                    message + (options.Token == "" ? "; a token may be needed (HF_TOKEN or --hub-token-file)" : "; the token does not allow it")),
                ( >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout, _) =>
                    new HttpRequestException(message, null, response.StatusCode),
                _ => new HubException(HubFault.Unavailable, message + await BeginningAsync(response, cancellationToken)),
            };
        }
    }

    private static async Task<string> BeginningAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        byte[] start = new byte[200];
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        int count = await body.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, cancellationToken);
        return count == 0 ? "" : $": {System.Text.Encoding.UTF8.GetString(start, 0, count).ReplaceLineEndings(" ")}";
    }
}

/// <summary>A response with content, and what the hub said of the file on the way to it; empty where it said nothing.</summary>
internal sealed record HubResponse(HttpResponseMessage Message, string Commit, string ETag) : IDisposable
{
    public void Dispose() => Message.Dispose();
}
