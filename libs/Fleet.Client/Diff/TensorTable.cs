using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Safetensors;

namespace Fleet.Client.Diff;

/// <summary>A tensor of a model and the blob of its bytes; null when it has none.</summary>
internal sealed record StoredTensor(SafetensorsEntry Entry, Digest? Blob)
{
    public TensorForm Form => new(Entry.DType.Token(), Entry.Shape);
}

/// <summary>The tensors of a model by component and name, from the headers of its files.</summary>
internal sealed class TensorTable
{
    // Prefixes of a checkpoint of the original layout, and the components that they stand for.
    private static readonly (string Prefix, string Component)[] Checkpoint =
        [("model.diffusion_model.", "unet"), ("first_stage_model.", "vae"), ("cond_stage_model.", "text_encoder")];

    private readonly Dictionary<(string Component, string Name), StoredTensor> tensors = [];

    public IEnumerable<(string Component, string Name)> Keys => tensors.Keys;

    public StoredTensor? Find((string Component, string Name) key) => tensors.GetValueOrDefault(key);

    public static bool Holds(ManifestFile file) => file.Path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase);

    public static async Task<TensorTable> ReadAsync(IModelContent content, CancellationToken cancellationToken)
    {
        var table = new TensorTable();
        foreach (var file in content.Manifest.Files.Where(Holds))
        {
            table.Add(file, await ReadHeaderAsync(content, file, cancellationToken));
        }

        return table;
    }

    private static async Task<SafetensorsHeader> ReadHeaderAsync(IModelContent content, ManifestFile file, CancellationToken cancellationToken)
    {
        var part = file.Parts[0];
        byte[] header = new byte[checked((int)Math.Min(part.Size, SafetensorsHeader.MaxHeaderBytes + 8))];
        await using var stream = content.Open(Digest.FromBytes(part.Sha256.Span), part.Size);
        await stream.ReadExactlyAsync(header, cancellationToken);
        return SafetensorsHeader.Read(new MemoryStream(header), file.Size, file.Path);
    }

    private void Add(ManifestFile file, SafetensorsHeader header)
    {
        int part = 1; // the first part is the header
        foreach (var entry in header.Entries)
        {
            Digest? blob = null;
            if (entry.ByteLength > 0)
            {
                if (part >= file.Parts.Count || file.Parts[part].Size != entry.ByteLength)
                {
                    throw new InvalidDataException($"{file.Path}: the parts of the manifest are not the tensors of the header");
                }

                blob = Digest.FromBytes(file.Parts[part++].Sha256.Span);
            }

            var tensor = new StoredTensor(entry, blob);
            if (!tensors.TryAdd((ComponentOf(file.Path, entry.Name), entry.Name), tensor))
            {
                tensors[(file.Path, entry.Name)] = tensor; // a variant beside the weights has the same names
            }
        }
    }

    private static string ComponentOf(string path, string tensor)
    {
        int slash = path.LastIndexOf('/');
        return slash > 0 ? path[..slash] : Checkpoint.FirstOrDefault(c => tensor.StartsWith(c.Prefix, StringComparison.Ordinal)).Component ?? "";
    }
}
