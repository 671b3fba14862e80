using Grpc.Core;

namespace Fleet.Registry.Access;

/// <summary>Who makes a call.</summary>
internal static class CallActor
{
    private const string Key = "fleet-actor";

    /// <summary>The owner of the call's token, or everybody where the registry asks for none.</summary>
    public static Actor ActorOf(ServerCallContext context) => context.UserState.TryGetValue(Key, out object? actor)
        ? (Actor)actor
        : throw new InvalidOperationException($"nobody has checked who calls {context.Method}");

    /// <summary>Keeps who makes the call, once that was checked.</summary>
    public static void Set(ServerCallContext context, Actor actor) => context.UserState[Key] = actor;
}
