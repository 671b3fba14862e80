using Fleet.Gateway.Planning;
using Grpc.Core;

namespace Fleet.Gateway.Stages;

/// <summary>Makes sure that all stages of a job answer with the version that it was pinned to.</summary>
internal static class VersionPin
{
    /// <exception cref="RpcException">Another version answered: INTERNAL.</exception>
    public static void Check(string answered, GenerationPlan plan)
    {
        if (answered != plan.Version)
        {
            throw new RpcException(new Status(StatusCode.Internal, $"It answered with version {answered}; the job is pinned to {plan.Version}."));
        }
    }
}
