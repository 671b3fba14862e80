using System.Collections.Concurrent;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;
using Fleet.Registry.Rollouts.Records;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Rollouts;

/// <summary>What the observations of a rollout say, as far as they were read.</summary>
internal sealed record Evidence(ArmCounts Stable, ArmCounts Canary, int Pairs, IReadOnlyList<TestReading> Tests, JudgeOpinion Opinion)
{
    /// <summary>A rollout with these counts and tests and the replicas given, and nothing else.</summary>
    public Rollout ToMessage(IEnumerable<ReplicaReadiness> replicas) => new()
    {
        StableCounts = Stable,
        CanaryCounts = Canary,
        Pairs = Pairs,
        Tests = { Tests },
        Replicas = { replicas },
    };
}

/// <summary>
/// A judge for each running rollout. It is shown the stored observations in their order, those that are new at each reading, so that every replica of
/// the registry comes to the same opinion, also after a restart.
/// </summary>
internal sealed class RolloutEvidence(RegistryDatabase database)
{
    private const int ReadAtOnce = 2_000;

    private readonly ConcurrentDictionary<string, Reader> readers = new();

    /// <summary>Pulsed when something arrived that a decision may rest on.</summary>
    public ChangeSignal Arrived { get; } = new();

    /// <summary>Reads what is new. Only for rollouts that run; of others the database keeps what they ended with.</summary>
    public Task<Evidence> ReadAsync(RolloutRecord rollout, CancellationToken cancellation) =>
        readers.GetOrAdd(rollout.Id, _ => new Reader(database, rollout)).ReadAsync(cancellation);

    /// <summary>Forgets all rollouts but these.</summary>
    public void KeepOnly(IEnumerable<RolloutRecord> running)
    {
        foreach (string ended in readers.Keys.Except(running.Select(rollout => rollout.Id)))
        {
            readers.TryRemove(ended, out _);
        }
    }

    private sealed class Reader(RegistryDatabase database, RolloutRecord rollout)
    {
        private readonly Judge judge = new(rollout.Plan);
        private readonly SemaphoreSlim reading = new(1);
        private long last;

        public async Task<Evidence> ReadAsync(CancellationToken cancellation)
        {
            await reading.WaitAsync(cancellation);
            try
            {
                while (await ReadSomeAsync(cancellation) == ReadAtOnce)
                {
                }

                return new Evidence(judge.Stable, judge.Canary, judge.Pairs, judge.Readings(), judge.Opinion());
            }
            finally
            {
                reading.Release();
            }
        }

        private async Task<int> ReadSomeAsync(CancellationToken cancellation)
        {
            var observations = await database.ReadAsync(connection => ObservationTable.AfterAsync(connection, rollout.Id, last, ReadAtOnce), cancellation);
            foreach (var observation in observations)
            {
                if (observation.Outcome is { } outcome)
                {
                    judge.Observe(outcome);
                }
                else
                {
                    judge.Observe(observation.Pair!);
                }

                last = observation.Number;
            }

            return observations.Count;
        }
    }
}
