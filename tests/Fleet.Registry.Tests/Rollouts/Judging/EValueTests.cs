using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class EValueTests
{
    private const double Near = 1e-9;

    [Fact]
    public void Value_OfTwoBets_IsTheMeanOfTheirWealths()
    {
        var evidence = new EValue(bets: 2, level: 0.05);
        evidence.Bet(0, Math.Log(3), 1);
        evidence.Bet(1, Math.Log(0.5), 0.1);
        evidence.Settle();

        evidence.Value.Should().BeApproximately(1.75, Near);
    }

    [Fact]
    public void Rejected_AfterTheWealthFellAgain_Stays()
    {
        var evidence = new EValue(bets: 1, level: 0.05);
        evidence.Bet(0, Math.Log(20.1), 1);
        evidence.Settle();
        evidence.Bet(0, Math.Log(0.01), 1);
        evidence.Settle();

        evidence.Value.Should().BeApproximately(0.201, Near);
        evidence.Rejected.Should().BeTrue();
    }

    [Fact]
    public void Rejected_BelowOneOverLevel_IsFalse()
    {
        var evidence = new EValue(bets: 1, level: 0.05);
        evidence.Bet(0, Math.Log(19.9), 1);
        evidence.Settle();

        evidence.Rejected.Should().BeFalse();
    }

    // Wealth 40 and a stake of 2: 40 exp(-2 x) = 20 at x = ln 2 / 2.
    [Fact]
    public void Reach_OfOneBet_IsWhereItsEvidenceIsJustEnough()
    {
        var evidence = new EValue(bets: 1, level: 0.05);
        evidence.Bet(0, Math.Log(40), -2);

        evidence.Reach().Should().BeApproximately(Math.Log(2) / 2, Near);
    }

    [Fact]
    public void Reach_OfSeveralBets_SolvesForTheirMean()
    {
        var evidence = new EValue(bets: 2, level: 0.1);
        evidence.Bet(0, 1, 3);
        evidence.Bet(1, 2, 0.5);

        double reach = evidence.Reach();

        double mean = (Math.Exp(1 - (3 * reach)) + Math.Exp(2 - (0.5 * reach))) / 2;
        mean.Should().BeApproximately(10, 1e-6);
    }

    [Fact]
    public void Reach_WithoutBets_IsNoBound() => new EValue(bets: 3, level: 0.05).Reach().Should().Be(double.NegativeInfinity);

    [Fact]
    public void Value_AfterEndlessWins_IsFinite()
    {
        var evidence = new EValue(bets: 1, level: 0.05);
        for (int i = 0; i < 10_000; i++)
        {
            evidence.Bet(0, 1, 1);
            evidence.Settle();
        }

        double.IsFinite(evidence.Value).Should().BeTrue();
    }
}
