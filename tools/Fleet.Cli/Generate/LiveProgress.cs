using Fleet.Cli.Terminal;
using Fleet.Client;
using Fleet.Diffusion.Imaging;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Fleet.Cli.Generate;

/// <summary>A bar with step and ETA, under the newest preview, redrawn in place and gone when the run ends.</summary>
internal sealed class LiveProgress(IAnsiConsole screen)
{
    private const int PreviewColumns = 32;
    private const int BarColumns = 30;

    private static readonly TimeSpan RedrawInterval = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider time = TimeProvider.System;
    private volatile GenerationAccepted? accepted;
    private volatile HalfBlockPicture? preview;
    private volatile StepReached? reached;

    /// <summary>Draws for as long as the work takes.</summary>
    public async Task<T> WhileAsync<T>(Func<Task<T>> work)
    {
        T result = default!;
        await screen.Live(Draw()).AutoClear(true).StartAsync(async context =>
        {
            var working = work();
            while (!working.IsCompleted)
            {
                context.UpdateTarget(Draw());
                await Task.WhenAny(working, Task.Delay(RedrawInterval, time));
            }

            result = await working;
        });
        return result;
    }

    public void Show(GenerationEvent happened)
    {
        switch (happened)
        {
            case GenerationAccepted a:
                accepted = a;
                break;
            case GenerationProgress p:
                reached = new StepReached(p, time.GetTimestamp());
                break;
            case PreviewReceived { ImageIndex: 0 } p when screen.Profile.Capabilities.ColorSystem >= ColorSystem.EightBit:
                var picture = PngReader.ReadPicture(p.Png);
                preview = new HalfBlockPicture(picture.Rgb, picture.Width, picture.Height, PreviewColumns);
                break;
        }
    }

    private Rows Draw()
    {
        IRenderable line = new Markup(Line());
        return preview is { } picture ? new Rows(picture, line) : new Rows(line);
    }

    private string Line()
    {
        if (accepted is not { } job)
        {
            return "waiting for the fleet…";
        }

        string model = Markup.Escape(job.Model);
        if (reached is not { Progress: var progress } at)
        {
            return job.QueuePosition > 0 ? $"{model}  waiting behind {job.QueuePosition} jobs" : $"{model}  loading";
        }

        if (progress.QueuePosition > 0)
        {
            return $"{model}  waiting behind {progress.QueuePosition} jobs";
        }

        int filled = BarColumns * progress.Step / Math.Max(1, progress.Steps);
        string bar = $"[green]{new string('━', filled)}[/][grey]{new string('━', BarColumns - filled)}[/]";
        var remaining = progress.Eta - time.GetElapsedTime(at.Timestamp);
        string eta = remaining is { } left && left > TimeSpan.Zero ? $"  {Units.Duration(left)} left" : "";
        string pace = progress.Step > 0 ? $"  {Units.Duration(progress.StepTime)} a step" : "";
        return $"{model}  {bar}  step {progress.Step}/{progress.Steps}{pace}{eta}";
    }

    private sealed record StepReached(GenerationProgress Progress, long Timestamp);
}
