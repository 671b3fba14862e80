using System.Collections.Concurrent;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;

namespace Fleet.Serving;

/// <summary>
/// The models in this process: one for each content, which several versions may have. It is loaded once however many ask for it at the same time.
/// At most <paramref name="capacity"/> idle ones stay, the most recently used, and fewer when memory is short.
/// </summary>
/// <param name="contentOf">What is equal for two versions from which the same model would be loaded.</param>
/// <param name="load">Loads a version. A failure reaches those who waited and is not remembered.</param>
/// <param name="capacity">Models that stay loaded when nobody uses them. At least 1.</param>
public sealed class ResidentModels<T>(
    Func<string, CancellationToken, Task<string>> contentOf, Func<string, CancellationToken, Task<LoadedModel<T>>> load, int capacity) : IAsyncDisposable
    where T : IStageModel<T>
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
    private readonly LinkedList<Resident> residents = []; // most recently used first
    private readonly ConcurrentDictionary<string, string> contents = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource stopping = new();

    /// <summary>The versions that models are loaded, or being loaded, from.</summary>
    public IReadOnlyList<string> Versions
    {
        get
        {
            lock (gate)
            {
                return [.. residents.Select(resident => resident.Version)];
            }
        }
    }

    /// <summary>The model of a version, loaded if it is not. Cancelling gives up waiting and lets the load go on.</summary>
    /// <exception cref="OverloadedException">There is no memory for it now.</exception>
    /// <exception cref="PreconditionException">There never will be, or the version is faulty.</exception>
    public async Task<ModelLease<T>> AcquireAsync(string version, CancellationToken cancellation)
    {
        string content = contents.TryGetValue(version, out string? known) ? known : contents[version] = await contentOf(version, cancellation);
        while (true)
        {
            var resident = Enter(version, content);
            bool cold = !resident.Loading.IsCompletedSuccessfully;
            try
            {
                var loaded = await resident.Loading.WaitAsync(cancellation);
                bool own = cold && resident.Version == version;
                return new ModelLease<T>(loaded.Model.For(version), cold, own ? loaded.Report : loaded.Report.AllShared, () => Release(resident));
            }
            catch (Exception) when (resident.Version != version && resident.Loading.IsFaulted && !stopping.IsCancellationRequested)
            {
                Release(resident); // it failed for another version of the same content; tried again, its failure will name this one
            }
            catch
            {
                Release(resident);
                throw;
            }
        }
    }

    /// <summary>Takes no more callers and unloads what nobody uses; what is in use goes when its last lease does.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        List<Resident> all;
        lock (gate)
        {
            all = [.. residents.Where(resident => resident.Leases == 0)];
            residents.Clear();
        }

        foreach (var resident in all)
        {
            await resident.UnloadAsync();
        }
    }

    private Resident Enter(string version, string content)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(stopping.IsCancellationRequested, this);
            var resident = residents.FirstOrDefault(r => r.Content == content) ?? new Resident(version, content, Task.Run(() => LoadAsync(version)));
            residents.Remove(resident);
            residents.AddFirst(resident);
            resident.Leases++;
            return resident;
        }
    }

    private async Task<LoadedModel<T>> LoadAsync(string version)
    {
        while (true)
        {
            try
            {
                return await load(version, stopping.Token);
            }
            catch (WeightMemoryException shortage)
            {
                if (!shortage.Fits)
                {
                    throw new PreconditionException($"Version {version} cannot be loaded: {shortage.Message}.", shortage);
                }

                if (!EvictIdle())
                {
                    throw new OverloadedException($"Version {version} cannot be loaded now: {shortage.Message}, by versions in use.", RetryAfter);
                }
            }
        }
    }

    // Unloads the idle model that was unused for longest; false when there is none.
    private bool EvictIdle()
    {
        Resident? idle;
        lock (gate)
        {
            idle = residents.LastOrDefault(resident => resident.Leases == 0 && resident.Loading.IsCompletedSuccessfully);
            if (idle is null)
            {
                return false;
            }

            residents.Remove(idle);
        }

        idle.Loading.Result.Dispose();
        return true;
    }

    private void Release(Resident resident)
    {
        var unneeded = new List<Resident>();
        lock (gate)
        {
            resident.Leases--;
            if (resident.Loading.IsFaulted || resident.Loading.IsCanceled)
            {
                residents.Remove(resident);
            }

            if (stopping.IsCancellationRequested && resident.Leases == 0)
            {
                unneeded.Add(resident);
            }

            foreach (var idle in residents.Where(r => r.Leases == 0).Skip(capacity).ToList())
            {
                residents.Remove(idle);
                unneeded.Add(idle);
            }
        }

        foreach (var idle in unneeded)
        {
            _ = idle.UnloadAsync();
        }
    }

    private sealed class Resident(string version, string content, Task<LoadedModel<T>> loading)
    {
        /// <summary>The version that it was loaded for first.</summary>
        public string Version => version;

        public string Content => content;

        public Task<LoadedModel<T>> Loading => loading;

        public int Leases { get; set; }

        public async Task UnloadAsync()
        {
            try
            {
                (await loading).Dispose();
            }
            catch (Exception) when (loading.IsFaulted || loading.IsCanceled)
            {
                // It never loaded; those who asked for it were told why.
            }
        }
    }
}
