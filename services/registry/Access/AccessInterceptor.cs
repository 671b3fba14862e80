using Fleet.Hosting;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Fleet.Registry.Access;

/// <summary>Lets a call through when its token may make it; <see cref="CallActor"/> then says whose it is.</summary>
internal sealed class AccessInterceptor(AccessTokens tokens) : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Admit(context, request);
        return continuation(request, context);
    }

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Admit(context, null);
        return continuation(requests, context);
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responses, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Admit(context, request);
        return continuation(request, responses, context);
    }

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests,
        IServerStreamWriter<TResponse> responses,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Admit(context, null);
        return continuation(requests, responses, context);
    }

    private void Admit(ServerCallContext context, object? request)
    {
        if (MethodAccess.OpenServices.Any(service => context.Method.StartsWith(service, StringComparison.Ordinal)))
        {
            return;
        }

        var actor = tokens.Identify(context.RequestHeaders.GetValue("authorization"));
        string method = context.Method[(context.Method.LastIndexOf('/') + 1)..];
        if (!MethodAccess.Methods.TryGetValue(context.Method, out var access))
        {
            throw new PermissionException($"nobody may call {method}: the registry does not say which role it needs");
        }

        if (actor.Role < access.Role)
        {
            throw new PermissionException($"{method} needs the role {access.Role.Name()}, and '{actor.Name}' is a {actor.Role.Name()}");
        }

        access.RequireScope(actor, request);
        CallActor.Set(context, actor);
    }
}
