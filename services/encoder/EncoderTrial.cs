using Fleet.Serving.Warmups;

namespace Fleet.Encoder;

/// <summary>Encodes the empty prompt.</summary>
internal sealed class EncoderTrial(EncodingEngine engine) : ITrialRun<EncoderModel>
{
    public async Task RunAsync(string version, EncoderModel model, CancellationToken cancellation)
    {
        var empty = model.Tokenize(new EncodeJob(version, "", NegativePrompt: null, ClipSkip: 0), maxChunks: 1);
        _ = await engine.EncodeAsync(empty, model, cancellation);
    }
}
