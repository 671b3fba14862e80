using Fleet.Contracts.Registry.V1;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Fleet.Client.Rollouts;

/// <summary>
/// Plans as YAML. Keys are the field names of rollouts.proto; times are "90s", "10m" or "1h30m", enum values "must-be-identical" or
/// "roll-back". Whether the values make sense is for the registry to say (CheckPlan).
/// </summary>
public static class PlanFile
{
    private const int MaxDepth = 32;

    /// <summary>Reads a file. Throws <see cref="PlanFormatException"/> for one that is no plan, unknown keys included.</summary>
    public static RolloutPlan Read(string path) => Parse(File.ReadAllText(path));

    /// <summary>Reads YAML text. Throws <see cref="PlanFormatException"/> for text that is no plan, unknown keys included.</summary>
    public static RolloutPlan Parse(string yaml)
    {
        var plan = new RolloutPlan();
        PlanReader.Fill(plan, RootOf(yaml));
        return plan;
    }

    /// <summary>YAML text that <see cref="Parse"/> reads back as the same plan. Fields that are not set are left out.</summary>
    public static string Write(RolloutPlan plan)
    {
        using var text = new StringWriter { NewLine = "\n" };
        new YamlStream(new YamlDocument(PlanWriter.Node(plan))).Save(text, assignAnchors: false);
        return text.ToString().Replace("\n...\n", "\n", StringComparison.Ordinal);
    }

    private static YamlNode RootOf(string yaml)
    {
        var stream = new YamlStream();
        try
        {
            CheckDepth(yaml);
            stream.Load(new StringReader(yaml));
        }
        catch (YamlException exception)
        {
            throw new PlanFormatException(exception.Start, exception.InnerException?.Message ?? exception.Message, exception);
        }

        return stream.Documents.Count == 1
            ? stream.Documents[0].RootNode
            : throw new PlanFormatException(Mark.Empty, $"there are {stream.Documents.Count} YAML documents; give one plan");
    }

    // Loading calls itself for each level, and a stack that overflows cannot be caught.
    private static void CheckDepth(string yaml)
    {
        var parser = new Parser(new StringReader(yaml));
        for (int depth = 0; parser.MoveNext(); depth += parser.Current!.NestingIncrease)
        {
            if (depth > MaxDepth && parser.Current is NodeEvent deep)
            {
                throw new PlanFormatException(deep.Start, $"nested more than {MaxDepth} levels deep");
            }
        }
    }
}
