using System.Runtime.CompilerServices;
using Fleet.Contracts.Generation.V1;

namespace Fleet.Gateway.Jobs;

/// <summary>A caller's hold on a job; disposing it is leaving.</summary>
internal sealed class JobCaller(JobTable table, GenerationJob job, bool attached) : IDisposable
{
    private bool left;

    public async IAsyncEnumerable<GenerateResponse> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var response in job.Events.ReadAsync(cancellationToken))
        {
            yield return attached && response.EventCase is GenerateResponse.EventOneofCase.Accepted ? Attached(response) : response;
        }
    }

    public void Dispose()
    {
        if (!left)
        {
            left = true;
            table.Leave(job);
        }
    }

    private static GenerateResponse Attached(GenerateResponse response)
    {
        var own = response.Clone();
        own.Accepted.Attached = true;
        return own;
    }
}
