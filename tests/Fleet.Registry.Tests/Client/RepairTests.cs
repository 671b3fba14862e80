using Fleet.Client.Diff;
using Fleet.Client.Repair;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Safetensors;
using Fleet.Testing;

namespace Fleet.Registry.Tests.Client;

public sealed class RepairTests : RegistryTest
{
    [Fact]
    public async Task FolderCheck_OfAPulledFolder_FindsAllRight()
    {
        var (manifest, folder) = await PullAsync();

        var files = await FolderCheck.RunAsync(manifest, folder, cancellationToken: Cancellation);

        files.Should().HaveCount(manifest.Files.Count).And.OnlyContain(file => file.State == FileState.Right);
    }

    [Fact]
    public async Task FolderRepair_OfDamagedMissingAndCutFiles_FetchesOnlyTheDamagedParts()
    {
        var (manifest, folder) = await PullAsync();
        string unet = Path.Combine(folder, ModelFolder.Unet), vae = Path.Combine(folder, ModelFolder.Vae);
        byte[] original = await File.ReadAllBytesAsync(unet, Cancellation);
        var entry = SafetensorsHeader.Read(unet).Entries[7];
        Flip(unet, SafetensorsHeader.Read(unet).DataStart + entry.Begin);
        File.Delete(Path.Combine(folder, "unet/config.json"));
        using (var cut = File.OpenWrite(vae))
        {
            cut.SetLength(cut.Length - 1);
        }

        await File.WriteAllTextAsync(Path.Combine(folder, "notes.txt"), "mine", Cancellation);
        var check = await FolderCheck.RunAsync(manifest, folder, cancellationToken: Cancellation);
        var repaired = await FolderRepair.RunAsync(Client, manifest, folder, check, cancellationToken: Cancellation);

        check.Single(file => file.Path == ModelFolder.Unet).Should().BeEquivalentTo(
            new CheckedFile(ModelFolder.Unet, FileState.Damaged, entry.ByteLength, [entry.Name]));
        check.Single(file => file.Path == "notes.txt").State.Should().Be(FileState.Extra);
        repaired.Select(file => file.Path).Should().BeEquivalentTo(ModelFolder.Unet, ModelFolder.Vae, "unet/config.json");
        (await File.ReadAllBytesAsync(unet, Cancellation)).Should().Equal(original);
        (await FolderCheck.RunAsync(manifest, folder, cancellationToken: Cancellation))
            .Where(file => file.State != FileState.Right).Should().ContainSingle().Which.Path.Should().Be("notes.txt");
    }

    [Fact]
    public async Task BlobRepair_OfDamagedAndLostBlobs_GivesThemBackFromAFolder()
    {
        string digest = (await PushAsync(Golden("models", "sd1"))).Version.Digest;
        var parts = (await Client.GetManifestAsync(digest, Cancellation)).Files.Single(file => file.Path == ModelFolder.Unet).Parts;
        var (damaged, lost) = (Digest.FromBytes(parts[5].Sha256.Span), Digest.FromBytes(parts[6].Sha256.Span));
        Flip(BlobPath(damaged), 0);
        File.Delete(BlobPath(lost));

        var found = await BlobRepair.FindAsync(Client, digest, cancellationToken: Cancellation);
        var source = await LocalContent.ReadAsync(Golden("models", "sd1"), cancellationToken: Cancellation);
        var result = await BlobRepair.RestoreAsync(Client, [.. found.Damaged, .. found.Missing], source, cancellationToken: Cancellation);

        found.Damaged.Should().Equal(damaged);
        found.Missing.Should().Equal(lost);
        result.Should().BeEquivalentTo(new BlobRepairResult(2, parts[5].Size + parts[6].Size, []));
        (await BlobRepair.FindAsync(Client, digest, cancellationToken: Cancellation)).AllRight.Should().BeTrue();
    }

    [Fact]
    public async Task BlobRepair_FromAnotherRegistry_FetchesOnlyWhatWasLost()
    {
        string digest = (await PushAsync(Golden("models", "sd1"))).Version.Digest;
        await using var other = await RunningRegistry.StartAsync(Folder["other"]);
        await other.Client.PushAsync(Golden("models", "sd1"), "copy", cancellationToken: Cancellation);
        var part = (await Client.GetManifestAsync(digest, Cancellation)).Files.Single(file => file.Path == ModelFolder.Vae).Parts[3];
        File.Delete(BlobPath(Digest.FromBytes(part.Sha256.Span)));

        var found = await BlobRepair.FindAsync(Client, digest, cancellationToken: Cancellation);
        var source = await RegistryContent.ReadAsync(other.Client, digest, Cancellation);
        var result = await BlobRepair.RestoreAsync(Client, found.Missing, source, cancellationToken: Cancellation);

        result.RestoredBytes.Should().Be(part.Size);
        (await BlobRepair.FindAsync(Client, digest, cancellationToken: Cancellation)).AllRight.Should().BeTrue();
    }

    private async Task<(Manifest Manifest, string Folder)> PullAsync()
    {
        string digest = (await PushAsync(Golden("models", "sd1"))).Version.Digest;
        await Client.PullAsync(digest, Folder["pulled"], cancellationToken: Cancellation);
        return (await Client.GetManifestAsync(digest, Cancellation), Folder["pulled"]);
    }

    private static void Flip(string path, long offset)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[offset] ^= 1;
        File.WriteAllBytes(path, bytes);
    }
}
