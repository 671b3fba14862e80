using Fleet.Safetensors;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Weights;

/// <summary>
/// The weights in memory: one tensor for each content, dtype and device, however many models use it. A tensor goes when the last loan of it
/// ends. Parameters are views of these tensors, so nobody may write to them.
/// </summary>
/// <param name="budget">Bytes that all tensors together may take, each counted once. 0: no limit.</param>
public sealed class TensorPool(long budget = 0)
{
    private readonly Lock gate = new();
    private readonly Dictionary<TensorKey, Pooled> tensors = [];
    private long bytes;

    /// <summary>Bytes of all tensors, each counted once.</summary>
    public long Bytes
    {
        get
        {
            lock (gate)
            {
                return bytes;
            }
        }
    }

    /// <summary>How many tensors there are.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return tensors.Count;
            }
        }
    }

    /// <summary>A loan of no tensor yet.</summary>
    public TensorLoan Borrow() => new(this);

    // Counts the loan of each; those that are not there yet take their bytes from the budget now. All or none.
    internal (long Added, long Shared) Take(IReadOnlyDictionary<TensorKey, long> wanted)
    {
        lock (gate)
        {
            long shared = wanted.Where(pair => tensors.ContainsKey(pair.Key)).Sum(pair => pair.Value);
            long total = wanted.Values.Sum();
            long added = total - shared;
            if (budget > 0 && bytes + added > budget)
            {
                throw new WeightMemoryException(
                    $"its weights take {added} bytes more, and {bytes} of the budget of {budget} bytes are taken", fits: total <= budget);
            }

            foreach (var (key, size) in wanted)
            {
                if (!tensors.TryGetValue(key, out var pooled))
                {
                    pooled = new Pooled(size);
                    tensors.Add(key, pooled);
                }

                pooled.Loans++;
            }

            bytes += added;
            return (added, shared);
        }
    }

    // Two models that load at the same time make a tensor once: the second waits.
    internal Tensor Get(TensorKey key, Func<Tensor> make)
    {
        Pooled pooled;
        lock (gate)
        {
            pooled = tensors[key];
        }

        lock (pooled.Making)
        {
            return pooled.Tensor ??= make().DetachFromDisposeScope();
        }
    }

    internal void Return(IEnumerable<TensorKey> keys)
    {
        var unused = new List<Tensor?>();
        lock (gate)
        {
            foreach (var key in keys)
            {
                var pooled = tensors[key];
                if (--pooled.Loans == 0)
                {
                    tensors.Remove(key);
                    bytes -= pooled.Bytes;
                    unused.Add(pooled.Tensor);
                }
            }
        }

        unused.ForEach(tensor => tensor?.Dispose());
    }

    private sealed class Pooled(long bytes)
    {
        public long Bytes => bytes;

        public Lock Making { get; } = new();

        public int Loans { get; set; }

        public Tensor? Tensor { get; set; }
    }
}

/// <summary>The tensors that a model uses of a pool. To be disposed after the model.</summary>
public sealed class TensorLoan : IDisposable
{
    private readonly TensorPool pool;
    private readonly HashSet<TensorKey> keys = [];
    private bool ended;

    internal TensorLoan(TensorPool pool) => this.pool = pool;

    /// <summary>Bytes of tensors that came into the pool with this loan.</summary>
    public long AddedBytes { get; private set; }

    /// <summary>Bytes of tensors that were in the pool before.</summary>
    public long SharedBytes { get; private set; }

    /// <summary>Ends the loan. Tensors that no other loan has are freed once their last view is.</summary>
    public void Dispose()
    {
        if (!ended)
        {
            ended = true;
            pool.Return(keys);
        }
    }

    /// <summary>Borrows tensors, with the bytes of each: all or none.</summary>
    /// <exception cref="WeightMemoryException">The pool's budget does not allow it.</exception>
    internal void Take(IEnumerable<(TensorKey Key, long Bytes)> wanted)
    {
        var more = wanted.Where(tensor => !keys.Contains(tensor.Key)).DistinctBy(tensor => tensor.Key).ToDictionary(tensor => tensor.Key, tensor => tensor.Bytes);
        var (added, shared) = pool.Take(more);
        AddedBytes += added;
        SharedBytes += shared;
        keys.UnionWith(more.Keys);
    }

    /// <summary>A tensor that was taken, made when no other model has made it. It belongs to the pool.</summary>
    internal Tensor Get(TensorKey key, Func<Tensor> make) => pool.Get(key, make);
}

/// <summary>What must be equal for a tensor to be shared. The shape is not part of it: views give the same bytes any shape.</summary>
/// <param name="Content">Digest of the stored bytes.</param>
/// <param name="Stored">What the stored bytes are.</param>
/// <param name="DType">Element type in memory.</param>
/// <param name="Device">Where the tensor lives.</param>
internal readonly record struct TensorKey(string Content, SafetensorsDType Stored, ScalarType DType, string Device);
