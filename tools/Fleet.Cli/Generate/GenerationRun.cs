using Fleet.Cli.Terminal;
using Fleet.Client;
using Fleet.Contracts.Generation.V1;

namespace Fleet.Cli.Generate;

/// <summary>
/// One request, shown while it runs. Cancelling asks the fleet to stop the job, waits for its word, and says what came of it.
/// </summary>
internal sealed class GenerationRun(FleetClient client, Output output)
{
    // After the fleet said that it stops the job, its last word comes when the step in work is over: this is how long to listen.
    private static readonly TimeSpan LastWord = TimeSpan.FromSeconds(5);

    // How long the fleet may take to answer that it stops the job. A second Ctrl-C does not wait for it.
    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(20);

    private GenerationAccepted? accepted;
    private GenerationProgress? progress;

    /// <summary>Runs to the receipt. The images are given in the order in which they arrive.</summary>
    public async Task<Receipt> RunAsync(
        GenerationRequest request, Func<GenerationAccepted, ImageReceived, Task> onImage, CancellationToken cancellation)
    {
        using var call = new CancellationTokenSource();
        var stopped = Task.FromResult(false);
        using var stopping = cancellation.Register(() => stopped = StopAsync(request.RequestId!, call));

        try
        {
            var live = output.Screen is { } screen ? new LiveProgress(screen) : null;
            return live is null
                ? await ConsumeAsync(request, onImage, null, call.Token)
                : await live.WhileAsync(() => ConsumeAsync(request, onImage, live, call.Token));
        }
        catch (Exception exception) when (cancellation.IsCancellationRequested && exception is OperationCanceledException or FleetException)
        {
            throw Cancelled(request.RequestId!, await stopped);
        }
    }

    private async Task<Receipt> ConsumeAsync(
        GenerationRequest request, Func<GenerationAccepted, ImageReceived, Task> onImage, LiveProgress? live, CancellationToken cancellation)
    {
        await foreach (var happened in client.GenerateAsync(request, cancellation))
        {
            live?.Show(happened);
            switch (happened)
            {
                case GenerationAccepted a:
                    accepted = a;
                    output.Event(new AcceptedEvent(a.RequestId, a.Model, a.Version, a.QueuePosition, a.Steps, a.Seed, a.Attached));
                    break;
                case GenerationProgress p:
                    progress = p;
                    output.Event(new ProgressEvent(
                        p.Step, p.Steps, (long?)p.Eta?.TotalMilliseconds, (long)p.StepTime.TotalMicroseconds, p.QueuePosition));
                    break;
                case PreviewReceived p:
                    output.Event(new PreviewEvent(p.ImageIndex, p.Step, Convert.ToBase64String(p.Png.Span)));
                    break;
                case ImageReceived image:
                    await onImage(accepted!, image);
                    break;
                case ReceiptReceived receipt:
                    return receipt.Receipt;
            }
        }

        throw new CommandException(ExitCode.Internal, "the fleet ended the stream without a receipt");
    }

    private async Task<bool> StopAsync(string requestId, CancellationTokenSource call)
    {
        output.Say("Stopping the job…");
        bool stopped = false;
        try
        {
            using var limit = new CancellationTokenSource(Answer);
            stopped = await client.CancelAsync(requestId, limit.Token);
        }
        catch (Exception exception) when (exception is FleetException or OperationCanceledException)
        {
            // The fleet did not answer; closing the call tells it as well.
        }

        call.CancelAfter(stopped ? LastWord : TimeSpan.Zero);
        return stopped;
    }

    private CommandException Cancelled(string requestId, bool jobStopped)
    {
        int step = progress?.Step ?? 0, steps = progress?.Steps ?? accepted?.Steps ?? 0;
        output.Event(new CancelledEvent(requestId, jobStopped, step, steps));
        return new CommandException(ExitCode.Cancelled, jobStopped
            ? $"cancelled: the fleet stopped job {requestId} after step {step} of {steps}"
            : $"cancelled: job {requestId} was not running on the fleet");
    }
}
