using System.Collections.Frozen;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Gateway.Rollouts;

/// <summary>The models that are being rolled out, as the registry last said. Immutable.</summary>
internal sealed class TrafficTable(IEnumerable<ModelTraffic> models)
{
    private readonly FrozenDictionary<string, ModelTraffic> byReference = models
        .Where(model => model is { Rollout: not "", Stable: not null, Canary: not null })
        .SelectMany(model => new[] { KeyValuePair.Create(model.Model, model), KeyValuePair.Create($"{model.Model}@stable", model) })
        .ToFrozenDictionary();

    public static TrafficTable Empty { get; } = new([]);

    /// <summary>The rollout that takes part in a reference: only "model" and "model@stable" do, a digest or another alias means one version.</summary>
    public ModelTraffic? Find(string reference) => byReference.GetValueOrDefault(reference);
}
