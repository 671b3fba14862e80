using System.Text.Json;
using Google.Protobuf;

namespace Fleet.Cli.Rollouts;

/// <summary>Messages about rollouts as proto3 JSON.</summary>
internal static class RolloutJson
{
    public static JsonElement Of(IMessage message) => JsonDocument.Parse(JsonFormatter.Default.Format(message)).RootElement;
}
