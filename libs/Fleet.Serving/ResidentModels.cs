namespace Fleet.Serving;

/// <summary>A loaded model that will not be unloaded before the lease is disposed.</summary>
public sealed class ModelLease<T>(T model, bool cold, Action release) : IDisposable
{
    private Action? release = release;

    /// <summary>The model.</summary>
    public T Model { get; } = model;

    /// <summary>The model was not loaded when it was asked for: what was measured with this lease says little about the version.</summary>
    public bool Cold { get; } = cold;

    /// <summary>Lets the model be unloaded when room is needed.</summary>
    public void Dispose() => Interlocked.Exchange(ref release, null)?.Invoke();
}

/// <summary>
/// The models in this process, one per version. A version is loaded once however many ask for it at the same time; at most
/// <paramref name="capacity"/> idle versions stay, the most recently used.
/// </summary>
/// <param name="load">Loads a version. A failure reaches those who waited and is not remembered.</param>
/// <param name="capacity">Versions that stay loaded when nobody uses them. At least 1.</param>
public sealed class ResidentModels<T>(Func<string, CancellationToken, Task<T>> load, int capacity) : IAsyncDisposable
    where T : IDisposable
{
    private readonly Lock gate = new();
    private readonly LinkedList<Resident> residents = []; // most recently used first
    private readonly CancellationTokenSource stopping = new();

    /// <summary>Versions that are loaded or being loaded.</summary>
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
    public async Task<ModelLease<T>> AcquireAsync(string version, CancellationToken cancellation)
    {
        Resident resident;
        bool cold;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(stopping.IsCancellationRequested, this);
            resident = residents.FirstOrDefault(r => r.Version == version)
                ?? new Resident(version, Task.Run(() => load(version, stopping.Token)));
            residents.Remove(resident);
            residents.AddFirst(resident);
            resident.Leases++;
            cold = !resident.Loading.IsCompletedSuccessfully;
        }

        try
        {
            var model = await resident.Loading.WaitAsync(cancellation);
            return new ModelLease<T>(model, cold, () => Release(resident));
        }
        catch
        {
            Release(resident);
            throw;
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

    private sealed class Resident(string version, Task<T> loading)
    {
        public string Version => version;

        public Task<T> Loading => loading;

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
