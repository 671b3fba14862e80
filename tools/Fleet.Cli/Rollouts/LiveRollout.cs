using System.Globalization;
using Fleet.Contracts.Registry.V1;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Fleet.Cli.Rollouts;

/// <summary>A rollout in a terminal: its steps, traffic, replicas, counts, tests and last verdict, redrawn in place and gone when it has ended.</summary>
internal sealed class LiveRollout(IAnsiConsole screen)
{
    private static readonly TimeSpan RedrawInterval = TimeSpan.FromMilliseconds(200);

    private volatile Rollout? shown;

    /// <summary>Draws for as long as the work takes; the work says what to show.</summary>
    public async Task<Rollout> WhileAsync(Func<Action<Rollout>, Task<Rollout>> work)
    {
        Rollout result = null!;
        await screen.Live(new Text("waiting for the registry…")).AutoClear(true).StartAsync(async context =>
        {
            var working = work(rollout => shown = rollout);
            while (!working.IsCompleted)
            {
                if (shown is { } rollout)
                {
                    context.UpdateTarget(Draw(rollout));
                }

                await Task.WhenAny(working, Task.Delay(RedrawInterval, TimeProvider.System));
            }

            result = await working;
        });
        return result;
    }

    private static Rows Draw(Rollout rollout)
    {
        List<IRenderable> parts =
        [
            new Markup($"[bold]{Markup.Escape(rollout.Model)}[/]  {rollout.Id}  {Colored(rollout.State)}  {Markup.Escape(rollout.Reason)}"),
            new Markup(Steps(rollout)),
            Draw(RolloutText.ReplicaColumns, RolloutText.Replicas(rollout)),
            Draw(RolloutText.ArmColumns, RolloutText.Arms(rollout)),
        ];
        if (rollout.Tests.Count > 0)
        {
            parts.Add(Draw(RolloutText.TestColumns, RolloutText.Tests(rollout.Tests)));
        }

        parts.Add(new Text($"{rollout.Pairs} pairs compared"));
        if (rollout.Verdicts.LastOrDefault() is { } verdict)
        {
            parts.Add(new Text($"last: {RolloutText.Line(verdict)}"));
        }

        return new Rows(parts);
    }

    // Steps that are over, the one that runs, and those to come.
    private static string Steps(Rollout rollout)
    {
        var steps = rollout.Plan.Steps.Select((step, index) =>
        {
            string color = index < rollout.Step ? "green" : index == rollout.Step ? "yellow" : "grey";
            return string.Create(CultureInfo.InvariantCulture, $"[{color}]━━━ {step.Percent:0.##} %[/]");
        });
        string shadow = rollout.ShadowPercent > 0
            ? string.Create(CultureInfo.InvariantCulture, $"  [grey]{rollout.ShadowPercent:0.##} % on both versions[/]")
            : "";
        return $"{string.Join(' ', steps)}{shadow}";
    }

    private static string Colored(RolloutState state)
    {
        string color = state switch
        {
            RolloutState.Promoting or RolloutState.Promoted => "green",
            RolloutState.RollingBack or RolloutState.RolledBack or RolloutState.Failed => "red",
            _ => "yellow",
        };
        return $"[{color}]{RolloutText.Words(state)}[/]";
    }

    private static Table Draw(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        var table = new Table().Border(TableBorder.None);
        foreach (string column in columns)
        {
            table.AddColumn(new TableColumn(new Markup($"[grey]{column}[/]")));
        }

        foreach (var row in rows)
        {
            table.AddRow(row.Select(cell => new Text(cell)));
        }

        return table;
    }
}
