namespace Fleet.Gateway.Rollouts;

/// <summary>What the registry knows this process by. A new one with each start: the count of its reports begins again.</summary>
internal sealed class GatewayName
{
    public string Value { get; } = $"gateway-{Guid.NewGuid():N}";
}
