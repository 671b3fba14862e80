using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>A test that may be looked at after every observation without losing its levels.</summary>
internal interface ISequentialTest
{
    string Name { get; }

    /// <summary>Observations that the test rests on. 0: it has nothing to say.</summary>
    long Samples { get; }

    TestOutcome Outcome { get; }

    TestReading Read();
}
