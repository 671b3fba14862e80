using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Jobs;
using Google.Protobuf;

namespace Fleet.Gateway.Tests.Jobs;

public class EventLogTests
{
    private readonly EventLog log = new();

    [Fact]
    public async Task ReadAsync_Late_GivesImagesWholeAndOnlyTheLatestOfProgressAndPreviews()
    {
        log.Publish(Progress(1));
        log.Publish(Preview(image: 0, step: 1));
        log.Publish(Preview(image: 1, step: 1));
        log.Publish(Chunk(0));
        log.Publish(Progress(2));
        log.Publish(Preview(image: 0, step: 2));
        log.Publish(Chunk(1));
        log.End();

        var events = await ReadAllAsync();

        events.Should().Equal(Preview(image: 1, step: 1), Chunk(0), Progress(2), Preview(image: 0, step: 2), Chunk(1));
    }

    [Fact]
    public async Task ReadAsync_FromTheStart_GivesEveryEventAsItHappens()
    {
        await using var reader = log.ReadAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        for (int step = 1; step <= 200; step++)
        {
            var next = reader.MoveNextAsync();
            log.Publish(Progress(step));

            (await next).Should().BeTrue();
            reader.Current.Progress.Step.Should().Be(step);
        }
    }

    [Fact]
    public async Task ReadAsync_ReaderFallsBehind_LosesOldProgressAndNoImage()
    {
        await using var reader = log.ReadAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        log.Publish(Progress(0));
        await reader.MoveNextAsync();
        for (int step = 1; step <= 1000; step++)
        {
            log.Publish(Progress(step));
        }

        log.Publish(Chunk(0));
        log.End();

        var rest = new List<GenerateResponse>();
        while (await reader.MoveNextAsync())
        {
            rest.Add(reader.Current);
        }

        rest.Should().HaveCount(EventLog.TransientWindow + 1);
        rest[0].Progress.Step.Should().Be(1000 - EventLog.TransientWindow + 1);
        rest[^1].Should().Be(Chunk(0));
    }

    [Fact]
    public void Publish_ManyPreviews_BytesStayBounded()
    {
        for (int step = 1; step <= 1000; step++)
        {
            log.Publish(Preview(image: step % 16, step));
        }

        log.Bytes.Should().BeLessThan((EventLog.TransientWindow + 1) * Preview(1, 1000).CalculateSize());
    }

    [Fact]
    public async Task End_WithAFault_ReadersGetItAfterTheEvents()
    {
        log.Publish(Progress(1));
        log.End(new InvalidOperationException("first"));
        log.End(new InvalidOperationException("second"));
        log.Publish(Progress(2));

        await using var reader = log.ReadAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        (await reader.MoveNextAsync()).Should().BeTrue();
        var read = async () => await reader.MoveNextAsync();

        await read.Should().ThrowAsync<InvalidOperationException>().WithMessage("first");
    }

    private async Task<List<GenerateResponse>> ReadAllAsync() =>
        await log.ReadAsync(TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);

    private static GenerateResponse Progress(int step) => new() { Progress = new Progress { Step = step } };

    private static GenerateResponse Preview(int image, int step) =>
        new() { Preview = new Preview { ImageIndex = image, Step = step, Png = ByteString.CopyFrom(new byte[1000]) } };

    private static GenerateResponse Chunk(int offset) => new() { Image = new ImageChunk { Offset = offset, Data = ByteString.CopyFrom(1) } };
}
