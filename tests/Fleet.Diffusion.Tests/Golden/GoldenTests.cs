using Fleet.Diffusion.Tests.Golden;

[assembly: AssemblyFixture(typeof(GoldenSummary))]

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>Every case of the golden folder, as one test each. See docs/golden.md for what the groups compare.</summary>
public sealed class GoldenTests(GoldenSummary summary)
{
    // What compares a case of each group. A group that is missing here is reported as not covered.
    private static readonly Dictionary<string, Action<GoldenCase>> Groups = new()
    {
        ["schedulers"] = SchedulerCases.Compare,
        ["components"] = ComponentCases.Compare,
        ["singlefile"] = SingleFileCases.Compare,
        ["misc"] = MiscCases.Compare,
        ["tokenizers"] = TokenizerCases.Compare,
        ["pipelines"] = PipelineCases.Compare,
    };

    public static IEnumerable<TheoryDataRow<string, string>> Cases() =>
        GoldenSet.Cases.Select(c => new TheoryDataRow<string, string>(c.Group, c.Id));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Case_OfGoldenFolder_MatchesReference(string group, string id)
    {
        try
        {
            if (!Groups.TryGetValue(group, out var compare))
            {
                throw new NotCoveredException($"cases of group '{group}' are not compared");
            }

            var golden = GoldenSet.Find(group, id);
            compare(golden);
            summary.Passed(golden);
        }
        catch (NotCoveredException e)
        {
            summary.NotCovered(group, id, e.Message);
            Assert.Skip($"not covered: {e.Message}");
        }
        catch
        {
            summary.Failed(group, id);
            throw;
        }
    }
}
