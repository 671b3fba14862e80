using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Tests.Access;

public sealed class AccessInterceptorTests
{
    private readonly AccessInterceptor interceptor = new(new AccessTokens(Options.Create(new AccessOptions())));

    [Fact]
    public async Task Call_OfAMethodThatNobodyGaveARole_IsRefused_EvenWithoutTokens()
    {
        var call = () => CallAsync("/fleet.registry.v1.Registry/NewMethod");

        await call.Should().ThrowAsync<PermissionException>().WithMessage("nobody may call NewMethod: the registry does not say which role it needs");
    }

    [Fact]
    public async Task Call_OfAKnownMethodWithoutTokens_IsMadeByEverybody() =>
        (await CallAsync("/fleet.registry.v1.Registry/SetQuota")).Should().Be(Actor.Anonymous);

    private async Task<Actor> CallAsync(string method)
    {
        Actor? actor = null;
        await interceptor.UnaryServerHandler(new SetQuotaRequest(), new Call(method), (_, context) =>
        {
            actor = CallActor.ActorOf(context);
            return Task.FromResult(new SetQuotaResponse());
        });
        return actor!;
    }

    private sealed class Call(string method) : ServerCallContext
    {
        protected override string MethodCore => method;

        protected override string HostCore => "";

        protected override string PeerCore => "";

        protected override DateTime DeadlineCore => DateTime.MaxValue;

        protected override Metadata RequestHeadersCore { get; } = [];

        protected override CancellationToken CancellationTokenCore => CancellationToken.None;

        protected override Metadata ResponseTrailersCore { get; } = [];

        protected override Status StatusCore { get; set; }

        protected override WriteOptions? WriteOptionsCore { get; set; }

        protected override AuthContext AuthContextCore { get; } = new(null, []);

        protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
