using Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Registry;

/// <summary>A model to publish: a diffusers folder, a single .safetensors checkpoint of the original layout, or the file of an adapter.</summary>
public sealed record ModelPush(string Path, string Model)
{
    /// <summary>Aliases to point at the version.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Free text, at most 64 KiB.</summary>
    public string Description { get; init; } = "";

    /// <summary>
    /// For a checkpoint in one file: folders with unet/config.json, text_encoder/config.json, vae/config.json, scheduler/scheduler_config.json and
    /// tokenizer/; each is taken from the first folder that has it. None: the file's own folder.
    /// </summary>
    public IReadOnlyList<string> ConfigFolders { get; init; } = [];

    /// <summary>License, model card and the like.</summary>
    public VersionMetadata? Metadata { get; init; }

    /// <summary>Signs the manifest before it is published; gives a Sigstore bundle as JSON.</summary>
    public Func<Manifest, byte[]>? Sign { get; init; }
}
