using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>What kinds of faults have in common.</summary>
internal static class Faults
{
    /// <summary>The request brought no picture.</summary>
    public static bool IsFailure(this Fault fault) => fault.IsOfWeights() || fault is Fault.Crash or Fault.Error;

    /// <summary>A failure that only the version can cause; a crash or an error may also be its surroundings'.</summary>
    public static bool IsOfWeights(this Fault fault) => fault is Fault.NotFinite or Fault.Load;

    /// <summary>The request brought a picture with nothing on it.</summary>
    public static bool IsBlank(this Fault fault) => fault is Fault.Black or Fault.White or Fault.Constant;
}
