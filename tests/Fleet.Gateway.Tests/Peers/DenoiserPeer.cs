using System.Security.Cryptography;
using System.Text;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Tensor.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Gateway.Tests.Peers;

internal enum Moment
{
    Called,
    Step,
    Chunk,
}

// Start is null while the call has not been read.
internal sealed record Happening(int Attempt, Moment Moment, int Number, ServerCallContext Context, DenoiseStart? Start = null);

// Makes pictures whose bytes follow from the seed, and does what a test asks for at any moment: fail, hang up, wait.
internal sealed class DenoiserPeer : Fleet.Contracts.Denoiser.V1.Denoiser.DenoiserBase
{
    public const int StepMicroseconds = 10_000;
    public const int PictureBytes = 300_000;
    private const int ChunkBytes = 100_000;

    private int attempts;

    public List<(DenoiseStart Start, IReadOnlyList<TensorBytes> Tensors)> Jobs { get; } = [];

    public int ListCalls { get; private set; }

    public Func<Happening, Task> At { get; set; } = _ => Task.CompletedTask;

    // Jobs that are said to wait before each one.
    public int QueuePosition { get; set; } = 1;

    // What the trailers say about the pixels of a job's pictures.
    public Func<DenoiseStart, PixelStatistics> Pixels { get; set; } = _ => new PixelStatistics { Maximum = 255, LargestRange = 255 };

    // Salt of the pictures: a denoiser that computes something else has another one.
    public string Salt { get; set; } = "";

    public override async Task Denoise(
        IAsyncStreamReader<DenoiseRequest> requests, IServerStreamWriter<DenoiseResponse> responses, ServerCallContext context)
    {
        int attempt = Interlocked.Increment(ref attempts);
        await At(new Happening(attempt, Moment.Called, 0, context));
        await requests.MoveNext(context.CancellationToken);
        var start = requests.Current.Start;
        Jobs.Add((start, await ReadTensorsAsync(requests, context.CancellationToken)));

        await responses.WriteAsync(new DenoiseResponse
        {
            Accepted = new DenoiseAccepted { Version = start.Version, QueuePosition = QueuePosition, Steps = start.Steps, Scheduler = start.Scheduler.Name is "" ? "pndm" : start.Scheduler.Name },
        });
        for (int step = 1; step <= start.Steps; step++)
        {
            await At(new Happening(attempt, Moment.Step, step, context, start));
            await responses.WriteAsync(new DenoiseResponse { Progress = new DenoiseProgress { Step = step, Steps = start.Steps, StepUs = StepMicroseconds } });
            if (start.PreviewInterval > 0 && step % start.PreviewInterval == 0)
            {
                var preview = new Preview { ImageIndex = 0, Step = step, Png = ByteString.CopyFrom(1, 2, 3) };
                await responses.WriteAsync(new DenoiseResponse { Decoded = new DecodeResponse { Preview = preview } });
            }
        }

        for (int index = 0; index < start.Count; index++)
        {
            await SendPictureAsync(start, index, attempt, responses, context);
        }

        if (start.ReturnLatents)
        {
            await SendLatentsAsync(start, responses);
        }

        await responses.WriteAsync(new DenoiseResponse { Done = new DenoiseDone { QueueUs = 11, ComputeUs = 22, DeviceUs = 21, NetworkCalls = start.Steps } });
    }

    public override Task<ListSchedulersResponse> ListSchedulers(ListSchedulersRequest request, ServerCallContext context)
    {
        ListCalls++;
        return Task.FromResult(new ListSchedulersResponse
        {
            Schedulers =
            {
                new SchedulerInfo { Name = "euler", ClassName = "EulerDiscreteScheduler" },
                new SchedulerInfo { Name = "pndm", ClassName = "PNDMScheduler" },
                new SchedulerInfo { Name = "dpmpp-2m", ClassName = "DPMSolverMultistepScheduler", AcceptsSigmas = true },
                new SchedulerInfo { Name = "dpmpp-2m-sde", ClassName = "DPMSolverMultistepScheduler", AcceptsSigmas = true },
            },
        });
    }

    public byte[] Picture(DenoiseStart start, int index)
    {
        string records = string.Join('\n', start.Output.Text.Select(record => ImageTextTemplate.Expand(record.Text, start.Seed + index, index)));
        var random = new Random(BitConverter.ToInt32(SHA256.HashData(Encoding.UTF8.GetBytes($"{start.Seed + index} {start.Steps} {Salt} {records}"))));
        var bytes = new byte[PictureBytes];
        random.NextBytes(bytes);
        return bytes;
    }

    private async Task SendPictureAsync(
        DenoiseStart start, int index, int attempt, IServerStreamWriter<DenoiseResponse> responses, ServerCallContext context)
    {
        byte[] picture = Picture(start, index);
        for (int offset = 0; offset < picture.Length; offset += ChunkBytes)
        {
            await At(new Happening(attempt, Moment.Chunk, index * (PictureBytes / ChunkBytes) + offset / ChunkBytes + 1, context, start));
            var chunk = new ImageChunk { ImageIndex = index, Offset = offset, Data = ByteString.CopyFrom(picture, offset, ChunkBytes) };
            if (offset + ChunkBytes == picture.Length)
            {
                chunk.Trailer = new ImageTrailer
                {
                    ByteLength = picture.Length,
                    FileSha256 = ByteString.CopyFrom(SHA256.HashData(picture)),
                    PixelsSha256 = ByteString.CopyFrom(new byte[32]),
                    Width = start.LatentWidth * 8,
                    Height = start.LatentHeight * 8,
                    ComputeUs = 33,
                    Seed = start.Seed + index,
                    Pixels = Pixels(start),
                };
            }

            await responses.WriteAsync(new DenoiseResponse { Decoded = new DecodeResponse { Image = chunk } });
        }
    }

    // The number that stands for the latents of a picture is its version's first digit, so that a test can see whose they are.
    private static async Task SendLatentsAsync(DenoiseStart start, IServerStreamWriter<DenoiseResponse> responses)
    {
        byte[] latents = BitConverter.GetBytes((float)start.Version["sha256:".Length]);
        for (int index = 0; index < start.Count; index++)
        {
            foreach (var chunk in TensorCodec.Split("latents", DType.Float32, [1, 1, 1, 1], latents))
            {
                await responses.WriteAsync(new DenoiseResponse { Latents = new FinalLatents { ImageIndex = index, Tensor = chunk } });
            }
        }
    }

    private static async Task<IReadOnlyList<TensorBytes>> ReadTensorsAsync(IAsyncStreamReader<DenoiseRequest> requests, CancellationToken cancellationToken)
    {
        var assembler = new TensorAssembler(1 << 20);
        var tensors = new List<TensorBytes>();
        while (await requests.MoveNext(cancellationToken))
        {
            if (assembler.Add(requests.Current.Tensor) is { } tensor)
            {
                tensors.Add(tensor);
            }
        }

        return tensors;
    }
}
