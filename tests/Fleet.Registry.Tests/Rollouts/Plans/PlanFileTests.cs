using System.Text.RegularExpressions;
using Fleet.Client.Rollouts;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Plans;
using Fleet.Testing;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Tests.Rollouts.Plans;

public sealed partial class PlanFileTests
{
    [Fact]
    public void Parse_OfAllKindsOfValues_FillsThePlan()
    {
        var plan = PlanFile.Parse("""
            kind: must-be-identical
            steps:
              - percent: 2.5
                shadow_percent: 10
                min_time: 1h30m
                min_requests: 20
              - percent: 50
            guards: {max_failures: 0}
            tests:
              min_metrics: {clip-score: 0.3}
            inconclusive: roll-back
            """);

        plan.Should().Be(new RolloutPlan
        {
            Kind = ChangeKind.MustBeIdentical,
            Steps =
            {
                new RolloutStep { Percent = 2.5, ShadowPercent = 10, MinTime = TimeSpan.FromMinutes(90).ToDuration(), MinRequests = 20 },
                new RolloutStep { Percent = 50 },
            },
            Guards = new Guards { MaxFailures = 0 },
            Tests = new TestLimits { MinMetrics = { ["clip-score"] = 0.3 } },
            Inconclusive = Inconclusive.RollBack,
        });
    }

    [Fact]
    public void Parse_OfWhatWriteWrote_IsTheSamePlan()
    {
        var given = new RolloutPlan { Kind = ChangeKind.MayDiffer, Steps = { new RolloutStep { Percent = 1.0 / 3, MinTime = TimeSpan.FromMilliseconds(1500).ToDuration() } } };
        given.Tests = new TestLimits { MinMetrics = { ["a: b #1"] = 1e-7, ["yes"] = -5 } };
        var plan = PlanRules.Complete(given).Plan;

        PlanFile.Parse(PlanFile.Write(plan)).Should().Be(plan);
        PlanFile.Write(plan).Should().Contain("min_time: 1.5s").And.Contain("max_time: 1d").And.NotContain("...");
    }

    [Theory]
    [InlineData("guards:\n  max_failure: 2", "line 2, column 3: key 'max_failure' is not known: did you mean 'max_failures'? (there are max_failures, max_blank_pictures, window)")]
    [InlineData("bogus_field: 1", "line 1, column 1: key 'bogus_field' is not known: there are kind, steps")]
    [InlineData("kind: may_differ", "line 1, column 7: kind 'may_differ' is not known: did you mean 'may-differ'?")]
    [InlineData("steps:\n- percent: five", "line 2, column 12: percent is 'five'; give a number such as 0.5")]
    [InlineData("steps:\n- percent: .inf", "line 2, column 12: percent is '.inf'")]
    [InlineData("steps:\n- min_requests: 1.5", "line 2, column 17: min_requests is '1.5'; give a whole number")]
    [InlineData("steps:\n- min_time: 10", "line 2, column 13: min_time is '10'; give a time such as 90s, 10m or 1h30m")]
    [InlineData("steps:\n- min_time: 999999d", "line 2, column 13: min_time")]
    [InlineData("steps: {percent: 5}", "line 1, column 8: steps is a list")]
    [InlineData("guards: [1]", "line 1, column 9: give the fields max_failures")]
    [InlineData("kind: [a]", "line 1, column 7: give a single value")]
    [InlineData("kind: may-differ\nkind: may-differ", "line 2, column 1: ")]
    [InlineData("steps: [", "line ")]
    [InlineData("a: 1\n---\nb: 2", "there are 2 YAML documents; give one plan")]
    [InlineData("", "there are 0 YAML documents; give one plan")]
    public void Parse_OfAFault_SaysWhereAndWhat(string yaml, string expected)
    {
        var parse = () => PlanFile.Parse(yaml);

        parse.Should().Throw<PlanFormatException>().Which.Message.Should().Contain(expected);
    }

    [Fact]
    public void Parse_OfEndlessNesting_IsRefused()
    {
        var parse = () => PlanFile.Parse(new string('[', 100_000));

        parse.Should().Throw<PlanFormatException>().WithMessage("*32 levels*");
    }

    [Fact]
    public void Examples_OfTheDocumentation_ArePlansWithoutFaults()
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "rollouts.md"));
        string[] examples = [.. Example().Matches(text).Select(match => match.Groups[1].Value)];

        examples.Should().NotBeEmpty();
        examples.Should().AllSatisfy(yaml => PlanRules.Complete(PlanFile.Parse(yaml)).Faults.Should().BeEmpty());
    }

    [GeneratedRegex("^```yaml\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Example();
}
