using Fleet.Client.Repair;
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
