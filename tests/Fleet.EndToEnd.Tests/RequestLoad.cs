using System.Collections.Concurrent;
using System.Globalization;
using Fleet.Client;

namespace Fleet.EndToEnd.Tests;

/// <summary>A request's end as its caller saw it.</summary>
internal sealed record Answer(string RequestId, string Version, string PixelsSha256, Exception? Error, TimeSpan Took);

/// <summary>Callers that ask for small pictures one after the other until the load is disposed.</summary>
internal sealed class RequestLoad : IAsyncDisposable
{
    private readonly FleetClient client;
    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentQueue<Answer> answers = new();
    private readonly Task[] callers;
    private int next;

    public RequestLoad(FleetClient client, int callers)
    {
        this.client = client;
        this.callers = [.. Enumerable.Range(0, callers).Select(_ => Task.Run(CallAsync))];
    }

    public IReadOnlyList<Answer> Answers => [.. answers];

    /// <summary>What every request asks for; the number makes prompt, seed and id.</summary>
    public static GenerationRequest Request(int number) => new()
    {
        RequestId = $"load-{number}",
        Prompt = string.Create(CultureInfo.InvariantCulture, $"picture number {number}"),
        Seed = number,
        Width = 64,
        Height = 64,
        Steps = 4,
        Timeout = TimeSpan.FromMinutes(1),
    };

    /// <summary>Stops asking and waits for the answers that are due.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(callers);
        stopping.Dispose();
    }

    private async Task CallAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            answers.Enqueue(await AskAsync(client, Request(Interlocked.Increment(ref next))));
        }
    }

    public static async Task<Answer> AskAsync(FleetClient client, GenerationRequest request)
    {
        long start = TimeProvider.System.GetTimestamp();
        string version = "", pixels = "";
        Exception? error = null;
        try
        {
            await foreach (var happened in client.GenerateAsync(request))
            {
                pixels = happened is ImageReceived image ? image.PixelsSha256 : pixels;
                version = happened is ReceiptReceived receipt ? receipt.Receipt.Recipe.Version : version;
            }
        }
        catch (FleetException e)
        {
            error = e;
        }

        return new Answer(request.RequestId!, version, pixels, error, TimeProvider.System.GetElapsedTime(start));
    }
}
