using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Rollouts;
using Google.Protobuf;

namespace Fleet.Gateway.Tests.Rollouts;

public class ReportQueueTests
{
    [Fact]
    public void Take_MoreThanGoIntoOneReport_TakesAThousandOldestFirst()
    {
        var queue = new ReportQueue(maxOutcomes: 5000, maxPairs: 10);
        Enumerable.Range(0, 1500).ToList().ForEach(i => queue.Add(new RequestOutcome { Steps = i }));
        queue.Add("ro-1", new Sample { Seed = 7 });

        var first = queue.Take()!;
        var second = queue.Take()!;

        first.Outcomes.Select(outcome => outcome.Steps).Should().Equal(Enumerable.Range(0, 1000));
        second.Outcomes.Should().HaveCount(500);
        second.Pairs.Single().Seed.Should().Be(7);
        second.PairRollouts.Should().Equal("ro-1");
        queue.Take().Should().BeNull();
    }

    [Fact]
    public void Take_LargePairs_KeepsAReportBelowTheSizeOfAMessage()
    {
        var queue = new ReportQueue(maxOutcomes: 10, maxPairs: 100);
        Enumerable.Range(0, 100).ToList().ForEach(_ => queue.Add("ro-1", new Sample { StableThumbnail = ByteString.CopyFrom(new byte[100_000]) }));

        var reports = Enumerable.Range(0, 100).Select(_ => queue.Take()).TakeWhile(report => report is not null).ToList();

        reports.Sum(report => report!.Pairs.Count).Should().Be(100);
        reports.Should().AllSatisfy(report => report!.CalculateSize().Should().BeLessThan(3 << 20));
    }

    [Fact]
    public void Add_MoreThanIsHeld_DropsTheOldestOfItsKind()
    {
        var queue = new ReportQueue(maxOutcomes: 2, maxPairs: 1);
        queue.Add("ro-1", new Sample { Seed = 1 });
        Enumerable.Range(0, 5).ToList().ForEach(i => queue.Add(new RequestOutcome { Steps = i }));

        var report = queue.Take()!;

        report.Outcomes.Select(outcome => outcome.Steps).Should().Equal(3, 4);
        report.Pairs.Should().ContainSingle();
        queue.Dropped.Should().Be(3);
    }
}
