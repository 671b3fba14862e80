using System.ComponentModel.DataAnnotations;

namespace Fleet.Serving;

/// <summary>A slice: the part of a machine that a service computes on.</summary>
public sealed class SliceOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Slice";

    /// <summary>"cpu", or "cuda:N" for the GPU of that index.</summary>
    [RegularExpression("^(cpu|cuda(:[0-9]+)?)$", ErrorMessage = "Slice:Device must be 'cpu', 'cuda' or 'cuda:N'.")]
    public string Device { get; set; } = "cpu";

    /// <summary>Element type of weights and activations: "float32", "float16" or "bfloat16". Empty: float32 on a CPU, float16 on a GPU.</summary>
    [RegularExpression("^(|float32|float16|bfloat16)$", ErrorMessage = "Slice:DType must be 'float32', 'float16' or 'bfloat16'.")]
    public string DType { get; set; } = "";

    /// <summary>CPU threads. 0: as many as the machine has cores.</summary>
    [Range(0, 1024)]
    public int Threads { get; set; }

    /// <summary>Jobs that may wait for the device; more are refused.</summary>
    [Range(1, 100_000)]
    public int QueueCapacity { get; set; } = 64;

    /// <summary>Versions that stay loaded when nobody uses them.</summary>
    [Range(1, 1000)]
    public int IdleVersions { get; set; } = 2;

    /// <summary>Bytes that the weights of all loaded versions may take, those that versions share counted once. 0: no limit.</summary>
    [Range(0, long.MaxValue)]
    public long MemoryBudget { get; set; }

    /// <summary>What this process calls itself to the registry, unique among the replicas of a stage. Empty: machine name and process id.</summary>
    public string Replica { get; set; } = "";

    /// <summary>The name to use.</summary>
    public string ReplicaName => Replica != "" ? Replica : $"{Environment.MachineName}-{Environment.ProcessId}";
}
