using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Tests.Storage;

/// <summary>Two replicas of the registry over one PostgreSQL database.</summary>
public sealed class ReplicaTests() : RegistryTest(TestDatabase.Postgres)
{
    [Fact]
    public async Task SetAlias_ByAHundredOnTwoReplicasExpectingTheSame_LetsOneWin()
    {
        await using var other = await StartReplicaAsync();
        string first = (await PushAsync(Golden("models", "sd1"), "tiny", "live")).Version.Digest;
        string second = (await PushAsync(new ModelFolder(Folder["changed"]).ChangeTensor(ModelFolder.Unet, 0).FullPath)).Version.Digest;

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            try
            {
                await (i % 2 == 0 ? Client : other.Client).SetAliasAsync("tiny", "live", second, expectedVersion: first, cancellationToken: Cancellation);
                return StatusCode.OK;
            }
            catch (RpcException exception)
            {
                return exception.StatusCode;
            }
        }));

        outcomes.Count(code => code == StatusCode.OK).Should().Be(1);
        outcomes.Count(code => code == StatusCode.Aborted).Should().Be(99);
        (await other.Client.ResolveAsync("tiny@live", Cancellation)).Digest.Should().Be(second);
    }

    [Fact]
    public async Task Writes_OnTwoReplicasAtOnce_MakeOneChain()
    {
        await using var other = await StartReplicaAsync();

        await Task.WhenAll(Enumerable.Range(1, 60).Select(async i =>
            await (i % 2 == 0 ? Rpc : other.Rpc).SetQuotaAsync(new SetQuotaRequest { Namespace = $"n{i}", Bytes = i }, cancellationToken: Cancellation)));

        var verified = await new V1.Audit.AuditClient(other.Channel).VerifyLogAsync(new VerifyLogRequest(), cancellationToken: Cancellation);
        verified.Entries.Should().Be(60);
        verified.Faults.Should().BeEmpty();
    }
}
