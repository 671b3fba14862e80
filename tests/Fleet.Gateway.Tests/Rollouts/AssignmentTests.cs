using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Rollouts;

namespace Fleet.Gateway.Tests.Rollouts;

public class AssignmentTests
{
    private const string Rollout = "ro-abc123def456";

    // SHA-256 as traffic.proto says, computed elsewhere.
    [Theory]
    [InlineData("ro-abc123def456:tenant-7", 26.924253838081896)]
    [InlineData("ro-abc123def456:tenant-8", 32.08807889936456)]
    [InlineData("ro-abc123def456:", 22.935355613239068)]
    [InlineData("ro-abc123def456:ключ", 23.276612870262532)]
    [InlineData("shadow:ro-abc123def456:tenant-7", 42.50742760015609)]
    public void Bucket_OfAKey_IsThatOfTheContract(string key, double bucket) => Assignment.Bucket(key).Should().BeApproximately(bucket, 1e-12);

    [Theory]
    [InlineData(26.92, false)]
    [InlineData(26.93, true)]
    public void IsCanary_PercentJustBelowAndAboveTheBucket_Differs(double percent, bool canary) =>
        Assignment.IsCanary(Traffic(percent), "tenant-7").Should().Be(canary);

    [Theory]
    [InlineData(42.50, false)]
    [InlineData(42.51, true)]
    public void IsShadowed_PercentJustBelowAndAboveTheBucket_Differs(double percent, bool shadowed) =>
        Assignment.IsShadowed(Traffic(0, percent), "tenant-7").Should().Be(shadowed);

    [Fact]
    public void IsCanary_RisingPercent_KeepsEveryoneWhoWasIn()
    {
        var keys = Keys(100_000);
        var inAtFive = keys.Where(key => Assignment.IsCanary(Traffic(5), key)).ToHashSet();
        var inAtTwentyFive = keys.Where(key => Assignment.IsCanary(Traffic(25), key)).ToHashSet();

        inAtFive.Should().BeSubsetOf(inAtTwentyFive);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(5, 4_700, 5_300)]
    [InlineData(25, 24_400, 25_600)]
    [InlineData(100, 100_000, 100_000)]
    public void IsCanary_ManyKeys_SharesArePercent(double percent, int least, int most) =>
        Keys(100_000).Count(key => Assignment.IsCanary(Traffic(percent), key)).Should().BeInRange(least, most);

    [Fact]
    public void IsShadowed_AmongTheCanarysRequests_IsTheSameShare()
    {
        var canary = Keys(100_000).Where(key => Assignment.IsCanary(Traffic(50), key)).ToList();

        canary.Count(key => Assignment.IsShadowed(Traffic(50, 50), key)).Should().BeInRange(24_400, 25_600);
    }

    private static List<string> Keys(int count) => [.. Enumerable.Range(0, count).Select(i => $"key-{i}")];

    private static ModelTraffic Traffic(double percent, double shadowPercent = 0) => new() { Rollout = Rollout, Percent = percent, ShadowPercent = shadowPercent };
}
