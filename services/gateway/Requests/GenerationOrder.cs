namespace Fleet.Gateway.Requests;

/// <summary>A request that has arrived whole. Owns its files until a job takes them over.</summary>
internal sealed record GenerationOrder(string RequestId, GenerationParameters Parameters, InitFiles? Files);
