using Fleet.Cli.Terminal;
using Fleet.Client.Registry;
using Spectre.Console;

namespace Fleet.Cli.Models;

/// <summary>How far a push or pull is: a bar per stage in a terminal, events with <c>--json</c>.</summary>
internal sealed class TransferDisplay(Output output, ProgressContext? screen) : IProgress<TransferProgress>
{
    private readonly Lock reporting = new(); // parts travel on many threads
    private readonly Dictionary<TransferStage, ProgressTask> bars = [];

    public static async Task<T> WhileAsync<T>(Output output, Func<IProgress<TransferProgress>, Task<T>> transfer)
    {
        if (output.Screen is not { } screen)
        {
            return await transfer(new TransferDisplay(output, null));
        }

        return await screen.Progress()
            .AutoClear(true)
            .Columns(
                new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(),
                new TransferSpeedColumn(), new RemainingTimeColumn())
            .StartAsync(context => transfer(new TransferDisplay(output, context)));
    }

    public void Report(TransferProgress value)
    {
        lock (reporting)
        {
            if (value.Notice is { } notice)
            {
                output.Notice(notice);
                return;
            }

            string stage = value.Stage.ToString().ToLowerInvariant();
            output.Event(new TransferEvent(stage, value.Done, value.Total));
            if (screen is not null && value.Total > 0)
            {
                if (!bars.TryGetValue(value.Stage, out var bar))
                {
                    bars[value.Stage] = bar = screen.AddTask(stage, maxValue: value.Total);
                }

                bar.Value = value.Done;
            }
        }
    }
}
