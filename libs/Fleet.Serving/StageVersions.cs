using Fleet.Contracts;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;
using Fleet.Safetensors;
using Fleet.Serving.Versions;

namespace Fleet.Serving;

/// <summary>What a stage needs of a version, and how it is loaded.</summary>
/// <param name="store">The versions on this machine.</param>
/// <param name="pool">The weights in this process.</param>
/// <param name="wants">Which files of a version are needed, by path.</param>
/// <param name="load">Loads a model, whose weights the checkpoint takes from the pool.</param>
public sealed class StageVersions<T>(VersionStore store, TensorPool pool, Func<string, bool> wants, Func<Checkpoint, string, T> load)
    where T : IStageModel<T>
{
    /// <summary>Sees to it that what the stage needs of a version is on this machine, verified.</summary>
    public Task<VersionFiles> FetchAsync(string version, CancellationToken cancellation) => store.OpenAsync(version, wants, cancellation);

    /// <summary>A digest of the wanted files: equal for versions that differ in nothing that this stage needs.</summary>
    public async Task<string> ContentOfAsync(string version, CancellationToken cancellation)
    {
        var wanted = new Manifest();
        wanted.Files.AddRange((await store.GetManifestAsync(version, cancellation)).Files.Where(file => wants(file.Path)));
        return ManifestForm.DigestOf(wanted).Hex;
    }

    /// <summary>Loads a version, fetched when it is not on this machine.</summary>
    /// <exception cref="FaultyVersionException">The version's files are damaged or do not fit each other.</exception>
    /// <exception cref="WeightMemoryException">There is no memory for it.</exception>
    public async Task<LoadedModel<T>> LoadAsync(string version, CancellationToken cancellation)
    {
        var files = await FetchAsync(version, cancellation);
        var weights = pool.Borrow();
        try
        {
            using var checkpoint = Checkpoint.Open(files.Files, weights);
            var model = load(checkpoint, version);
            return new LoadedModel<T>(model, new LoadReport(weights.AddedBytes, weights.SharedBytes), weights, files);
        }
        catch (Exception failure)
        {
            weights.Dispose();
            files.Dispose();
            if (failure is CheckpointException or SafetensorsFormatException)
            {
                throw new FaultyVersionException($"Version {version} cannot be served: {failure.Message}", Wire.LoadFailed, failure);
            }

            throw;
        }
    }
}
