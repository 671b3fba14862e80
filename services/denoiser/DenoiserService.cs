using System.Threading.Channels;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Diffusion.Sampling;
using Fleet.Serving;
using Grpc.Core;
using V1 = Fleet.Contracts.Denoiser.V1;

namespace Fleet.Denoiser;

/// <summary>The denoiser on the wire.</summary>
internal sealed class DenoiserService(DenoisingEngine engine, ResidentModels<DenoiserModel> models, Decoder.DecoderClient decoder) : V1.Denoiser.DenoiserBase
{
    public override async Task Denoise(
        IAsyncStreamReader<DenoiseRequest> requests, IServerStreamWriter<DenoiseResponse> responses, ServerCallContext context)
    {
        var job = await DenoiseJob.ReadAsync(requests, context.CancellationToken);
        using var model = await models.AcquireAsync(job.Start.Version, context.CancellationToken);
        using var work = new DenoisingWork(job, model.Model);
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);

        // A slow caller stops the relay, not the device; what the relay holds is bounded.
        var output = Channel.CreateBounded<DenoiseResponse>(16);
        var producing = ProduceAsync(job, work, model.Cold, output.Writer, context.Deadline, cancellation);
        try
        {
            await foreach (var response in output.Reader.ReadAllAsync(context.CancellationToken))
            {
                await responses.WriteAsync(response, context.CancellationToken);
            }
        }
        finally
        {
            await cancellation.CancelAsync();
            await producing; // it never throws; the rows are free after it
        }
    }

    public override Task<ListSchedulersResponse> ListSchedulers(ListSchedulersRequest request, ServerCallContext context)
    {
        var response = new ListSchedulersResponse();
        response.Schedulers.AddRange(Schedulers.All.Select(scheduler => new SchedulerInfo
        {
            Name = scheduler.Name,
            ClassName = scheduler.ClassName,
            Reference = scheduler.Reference,
            CallsPerStep = scheduler.CallsPerStep,
            Stochastic = scheduler.Stochastic,
            AcceptsSigmas = scheduler.AcceptsSigmas,
        }));
        return Task.FromResult(response);
    }

    // Runs the job and the decoder's call side by side; the first message says that the job has a place in the queue; the first failure of either ends both and is what the caller gets.
    private async Task ProduceAsync(
        DenoiseJob job,
        DenoisingWork work,
        bool cold,
        ChannelWriter<DenoiseResponse> output,
        DateTime deadline,
        CancellationTokenSource cancellation)
    {
        Exception? failure = null;
        DenoiseDone? done = null;
        async Task Guard(Func<Task> part)
        {
            try
            {
                await part();
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
                await cancellation.CancelAsync();
            }
        }

        try
        {
            using var decoding = await DecoderStream.OpenAsync(decoder, job.Start, deadline, cancellation.Token);
            await Task.WhenAll(
                Guard(async () => done = await DenoiseAsync(job, work, decoding, output, cancellation.Token)),
                Guard(() => decoding.RelayAsync(output, cancellation.Token)));
            if (failure is null)
            {
                done!.Cold = cold || decoding.Cold;
                await output.WriteAsync(new DenoiseResponse { Done = done }, cancellation.Token);
            }
        }
        catch (Exception e)
        {
            failure ??= e;
        }

        output.Complete(failure);
    }

    private async Task<DenoiseDone?> DenoiseAsync(
        DenoiseJob job, DenoisingWork work, DecoderStream decoding, ChannelWriter<DenoiseResponse> output, CancellationToken cancellation)
    {
        bool accepted = false;
        DenoiseDone? done = null;
        await foreach (var next in engine.RunAsync(work, cancellation))
        {
            switch (next)
            {
                case LatentsReady latents:
                    await decoding.SendAsync(latents, cancellation);
                    if (job.Start.ReturnLatents && !latents.Preview)
                    {
                        await SendAsync(latents, output, cancellation);
                    }

                    break;
                case Waiting place when !accepted:
                    accepted = true;
                    await output.WriteAsync(
                        new DenoiseResponse
                        {
                            Accepted = new DenoiseAccepted
                            {
                                Version = job.Start.Version,
                                QueuePosition = place.Position,
                                Steps = work.StepsToRun,
                                Scheduler = work.Scheduler.Name,
                            },
                        },
                        cancellation);
                    break;
                case Waiting waiting:
                    await output.WriteAsync(
                        new DenoiseResponse { Progress = new DenoiseProgress { Steps = work.StepsToRun, QueuePosition = waiting.Position } }, cancellation);
                    break;
                case Stepped stepped:
                    await output.WriteAsync(
                        new DenoiseResponse
                        {
                            Progress = new DenoiseProgress
                            {
                                Step = stepped.Step,
                                Steps = work.StepsToRun,
                                StepUs = (long)stepped.StepTime.TotalMicroseconds,
                                BatchRows = stepped.BatchRows,
                            },
                        },
                        cancellation);
                    break;
                case Finished finished:
                    await decoding.CompleteAsync();
                    done = new DenoiseDone
                    {
                        QueueUs = (long)finished.Queued.TotalMicroseconds,
                        ComputeUs = (long)finished.Computed.TotalMicroseconds,
                        DeviceUs = (long)finished.OnDevice.TotalMicroseconds,
                        NetworkCalls = work.Calls,
                    };
                    break;
            }
        }

        return done;
    }

    private static async Task SendAsync(LatentsReady latents, ChannelWriter<DenoiseResponse> output, CancellationToken cancellation)
    {
        foreach (var chunk in TensorCodec.Split("latents", DType.Float32, latents.Shape, latents.Data))
        {
            await output.WriteAsync(
                new DenoiseResponse { Latents = new FinalLatents { ImageIndex = latents.Index, Tensor = chunk } }, cancellation);
        }
    }
}
