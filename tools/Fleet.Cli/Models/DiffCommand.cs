using System.CommandLine;
using System.Globalization;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Client.Diff;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models diff</c>: which tensors and files differ between two models, and by how much.</summary>
internal static class DiffCommand
{
    private const int DefaultRows = 40;

    private static readonly Argument<string> A = new("a") { Description = "The model before: " + ModelOperand.Description };

    private static readonly Argument<string> B = new("b") { Description = "The model after, named in the same ways" };

    private static readonly Option<int?> Rows = ValueOption.Integer("--limit", "N", $"Tensors to show [default: {DefaultRows}; with --json all]");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "diff",
            "Compare two models tensor by tensor; only tensors that differ are fetched. Exit code 1 when they differ",
            "fleet models diff studio/fox@stable studio/fox@canary",
            "fleet models diff studio/fox ./fox-2 --limit 10",
            "fleet models diff ./fox-1 ./fox-2 --json")
        {
            A,
            B,
            Rows,
            PublishOptions.Configurations,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string[] configurations = parsed.GetValue(PublishOptions.Configurations) ?? [];
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var difference = await TransferDisplay.WhileAsync(output, async progress => await ModelComparison.CompareAsync(
            await ModelOperand.OpenAsync(parsed.GetValue(A)!, configurations, registry.Client, progress, cancellation),
            await ModelOperand.OpenAsync(parsed.GetValue(B)!, configurations, registry.Client, progress, cancellation),
            progress, cancellation));

        int rows = Math.Max(0, parsed.GetValue(Rows) ?? DefaultRows);
        Write(difference, rows, output);
        return difference.IsNone ? ExitCode.Success : ExitCode.Negative;
    }

    private static void Write(ModelDifference difference, int rows, Output output)
    {
        foreach (var tensor in difference.Tensors)
        {
            output.Event(new TensorDifferenceEvent(
                Word(tensor.Change), tensor.Component, tensor.Name, tensor.A?.DType, tensor.A?.Shape, tensor.B?.DType, tensor.B?.Shape,
                tensor.Norms?.Before, tensor.Norms?.Difference, tensor.Norms?.Relative, tensor.Norms?.NotFinite));
        }

        foreach (var file in difference.Files)
        {
            output.Event(new FileDifferenceEvent(Word(file.Change), file.Path, file.BytesA, file.BytesB));
            output.Result($"{Word(file.Change),-8} {file.Path}");
        }

        output.Event(new DifferenceEvent(
            difference.EqualTensors, difference.Tensors.Count, difference.Files.Count, difference.SharedBytes, difference.BytesOnlyInA, difference.BytesOnlyInB));
        if (difference.Tensors.Count > 0)
        {
            foreach (string line in TextTable.Format(["CHANGE", "COMPONENT", "TENSOR", "RELATIVE NORM", "FORM"], [.. difference.Tensors.Take(rows).Select(Row)]))
            {
                output.Result(line);
            }
        }

        if (difference.Tensors.Count > rows)
        {
            output.Result($"... and {difference.Tensors.Count - rows} more; --limit shows them");
        }

        output.Result(
            $"{difference.Tensors.Count} tensors differ, {difference.EqualTensors} are equal; {Units.Bytes(difference.SharedBytes)} shared, "
            + $"{Units.Bytes(difference.BytesOnlyInA)} only in a, {Units.Bytes(difference.BytesOnlyInB)} only in b");
    }

    private static IReadOnlyList<string> Row(TensorDifference tensor)
    {
        string form = tensor.A is null || tensor.B is null || tensor.A.ToString() == tensor.B.ToString()
            ? $"{tensor.B ?? tensor.A}"
            : $"{tensor.A} -> {tensor.B}";
        return [Word(tensor.Change), tensor.Component, tensor.Name, Norm(tensor), form];
    }

    private static string Norm(TensorDifference tensor) => tensor.Norms switch
    {
        null => "",
        { NotFinite: > 0 } norms => $"{norms.NotFinite} not finite",
        { Relative: { } relative } => relative.ToString("0.000000", CultureInfo.InvariantCulture),
        _ => "from zero",
    };

    private static string Word(Change change) => change.ToString().ToLowerInvariant();
}
