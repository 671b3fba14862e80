using Fleet.Contracts.Decoder.V1;
using Grpc.Core;
using static TorchSharp.torch;

namespace Fleet.Stages.Tests.Decoder;

/// <summary>Counts live tensors of the whole process, and so runs alone.</summary>
[Collection(nameof(AbandonedCallTests))]
[CollectionDefinition(nameof(AbandonedCallTests), DisableParallelization = true)]
public sealed class AbandonedCallTests(StageFleet fleet)
{
    public static TheoryData<int> Messages() => [1, 2, 3, 4, 5];

    [Theory]
    [MemberData(nameof(Messages))]
    public async Task Decode_ClientGoneAfterSomeMessages_LeavesNoTensorAndAHealthyService(int messages)
    {
        List<DecodeRequest> requests = [DecodeCall.Start(fleet.Version), .. DecodeCall.Latents(new float[4 * 256], 16, preview: true), .. DecodeCall.Latents(new float[4 * 256], 16)];
        await DecodeCall.RunAsync(fleet.Decoder, requests);
        GC.Collect(); // what tests before this one left to the finalizers would be missing in the second count
        GC.WaitForPendingFinalizers();
        long before = Tensor.TotalCount;

        for (int i = 0; i < 10; i++)
        {
            await AbandonAsync(requests.Take(messages));
        }

        // Calls that are over on the server have given up their tensors; this one is queued behind what is left of theirs.
        DecodeCall.Picture(await DecodeCall.RunAsync(fleet.Decoder, requests)).Width.Should().Be(32);
        Tensor.TotalCount.Should().BeLessThanOrEqualTo(before);
    }

    private async Task AbandonAsync(IEnumerable<DecodeRequest> requests)
    {
        using var gone = new CancellationTokenSource();
        using var call = new Contracts.Decoder.V1.Decoder.DecoderClient(fleet.Decoder).Decode(cancellationToken: gone.Token);
        foreach (var request in requests)
        {
            await call.RequestStream.WriteAsync(request, TestContext.Current.CancellationToken);
        }

        await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);
        call.ResponseStream.Current.Accepted.Version.Should().Be(fleet.Version);
        await gone.CancelAsync();
        var next = () => call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);
        await next.Should().ThrowAsync<RpcException>();
    }
}
