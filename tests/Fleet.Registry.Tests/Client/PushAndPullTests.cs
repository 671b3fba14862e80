using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Safetensors;
using Microsoft.Data.Sqlite;

namespace Fleet.Registry.Tests.Client;

public sealed class PushAndPullTests : RegistryTest
{
    [Theory]
    [InlineData("sd1")]
    [InlineData("sd2")]
    public async Task Pull_OfAPushedFolder_GivesTheSameFilesByteForByte(string model)
    {
        var pushed = await PushAsync(Golden("models", model));

        await Client.PullAsync(pushed.Version.Digest, Folder["pulled"], cancellationToken: Cancellation);

        ShouldBeEqual(Folder["pulled"], Golden("models", model));
    }

    [Fact]
    public async Task Push_OfSd1_ReadsItsTraits()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));

        pushed.Created.Should().BeTrue();
        pushed.Version.Traits.Should().Be(new VersionTraits
        {
            Kind = "pipeline",
            Family = "sd1",
            PredictionType = "epsilon",
            Scheduler = "PNDMScheduler",
            DefaultSize = 32,
            VaeScaleFactor = 2,
            LatentChannels = 4,
            DenoiserInChannels = 4,
            EmbeddingWidth = 32,
            Parameters = ElementsOf("text_encoder/model") + ElementsOf("unet/diffusion_pytorch_model") + ElementsOf("vae/diffusion_pytorch_model"),
            Dtype = "F32",
            TextEncoderLayers = 4,
        });
    }

    [Fact]
    public async Task Push_OfSd2_IsOfFamilySd2AndPredictsVelocity()
    {
        var pushed = await PushAsync(Golden("models", "sd2"));

        pushed.Version.Traits.Family.Should().Be("sd2");
        pushed.Version.Traits.PredictionType.Should().Be("v_prediction");
    }

    [Fact]
    public async Task Push_OfTheSameFolderAgain_SendsNothingAndGivesTheSameVersion()
    {
        var first = await PushAsync(Golden("models", "sd1"));
        var second = await PushAsync(Golden("models", "sd1"));

        second.Should().Be(new PushResult(first.Version, Created: false, UploadedBlobs: 0, UploadedBytes: 0));
    }

    [Fact]
    public async Task Push_WithOneTensorChanged_SendsThatTensorOnly()
    {
        await PushAsync(Golden("models", "sd1"));
        var changed = new ModelFolder(Folder["changed"]).ChangeTensor(ModelFolder.Unet, index: 3);

        var pushed = await PushAsync(changed.FullPath);

        pushed.Created.Should().BeTrue();
        pushed.UploadedBlobs.Should().Be(1);
        pushed.UploadedBytes.Should().Be(SafetensorsHeader.Read(changed[ModelFolder.Unet]).Entries[3].ByteLength);
    }

    [Fact]
    public async Task Push_OfASingleFile_TakesTheRestFromTheConfigurationFolders()
    {
        var pushed = await Client.PushAsync(
            Golden("singlefile", "sd1_original.safetensors"), "single",
            configFolders: [Golden("singlefile", "sd1_config"), Golden("models", "sd1")], cancellationToken: Cancellation);
        await Client.PullAsync(pushed.Version.Digest, Folder["pulled"], cancellationToken: Cancellation);

        pushed.Version.Traits.Family.Should().Be("sd1");
        pushed.Version.Traits.Dtype.Should().Be("F16");
        Bytes("sd1_original.safetensors").AsSpan().SequenceEqual(File.ReadAllBytes(Golden("singlefile", "sd1_original.safetensors"))).Should().BeTrue();
        Bytes("unet", "config.json").AsSpan().SequenceEqual(File.ReadAllBytes(Golden("singlefile", "sd1_config", "unet", "config.json"))).Should().BeTrue();
        Bytes("tokenizer", "merges.txt").AsSpan().SequenceEqual(File.ReadAllBytes(Golden("models", "sd1", "tokenizer", "merges.txt"))).Should().BeTrue();

        byte[] Bytes(params string[] parts) => File.ReadAllBytes(Folder[["pulled", .. parts]]);
    }

    [Fact]
    public async Task Push_OfASingleFileWithoutConfigurations_NamesWhatIsMissing()
    {
        var push = () => PushAsync(Golden("singlefile", "sd1_original.safetensors"));

        await push.Should().ThrowAsync<ModelSourceException>().WithMessage("*sd1_original.safetensors: needs text_encoder/config.json, unet/config.json*tokenizer/vocab.json*looked in*--config");
    }

    [Fact]
    public async Task Push_OfAShardedNetwork_Succeeds()
    {
        var model = new ModelFolder(Folder["sharded"]);
        Directory.Delete(model["unet"], recursive: true);
        Directory.Delete(model["text_encoder"], recursive: true);
        CopyFolder(Golden("models", "variants", "unet_sd2_sharded"), model["unet"]);
        CopyFolder(Golden("models", "sd2", "text_encoder"), model["text_encoder"]);

        var pushed = await PushAsync(model.FullPath);

        pushed.Version.Traits.EmbeddingWidth.Should().Be(40);
    }

    [Fact]
    public async Task Push_OfASnapshotInTheHuggingFaceCache_SendsTheBlobsBesideIt()
    {
        string target = Golden("models", "sd1");
        Directory.CreateDirectory(Folder["cache", "blobs"]);
        foreach (string file in Directory.EnumerateFiles(target, "*", SearchOption.AllDirectories))
        {
            string blob = Folder["cache", "blobs", Guid.NewGuid().ToString("N")];
            string link = Folder["cache", "snapshots", "main", Path.GetRelativePath(target, file)];
            File.Copy(file, blob);
            Directory.CreateDirectory(Path.GetDirectoryName(link)!);
            File.CreateSymbolicLink(link, Path.GetRelativePath(Path.GetDirectoryName(link)!, blob));
        }

        var linked = await PushAsync(Folder["cache", "snapshots", "main"]);

        linked.Version.Digest.Should().Be((await PushAsync(target)).Version.Digest);
    }

    [Theory]
    [InlineData("vae/config.json")]
    [InlineData("vae")]
    public async Task Push_OfALinkThatLeavesTheFolder_IsRefusedByName(string path)
    {
        var model = new ModelFolder(Folder["model"]);
        Directory.Move(model["vae"], Folder["elsewhere"]);
        string target = path == "vae" ? Folder["elsewhere"] : Folder["elsewhere", "config.json"];
        Directory.CreateDirectory(Path.GetDirectoryName(model[path])!);
        File.CreateSymbolicLink(model[path], target);

        var push = () => PushAsync(model.FullPath);

        await push.Should().ThrowAsync<ModelSourceException>().WithMessage("*vae/*: is a link that leaves the model's folder, to *elsewhere/*");
    }

    [Fact]
    public async Task Push_OfALinkInsideTheFolder_SendsWhatItPointsTo()
    {
        var model = new ModelFolder(Folder["model"]);
        File.Move(model["vae/config.json"], model["notes.json"]);
        File.CreateSymbolicLink(model["vae/config.json"], "../notes.json");

        var linked = await PushAsync(model.FullPath);

        linked.Version.Digest.Should().Be((await PushAsync(Golden("models", "sd1"))).Version.Digest);
    }

    [Fact]
    public async Task Push_OfABrokenLink_IsRefusedByName()
    {
        var model = new ModelFolder(Folder["model"]).Delete("vae/config.json");
        File.CreateSymbolicLink(model["vae/config.json"], Folder["nowhere"]);

        var push = () => PushAsync(model.FullPath);

        await push.Should().ThrowAsync<ModelSourceException>().WithMessage("*vae/config.json: is a link to something that is not a file");
    }

    [Fact]
    public async Task Push_OfFilesThatAreNoPartOfAModel_LeavesThemOutAndSaysSo()
    {
        var model = new ModelFolder(Folder["model"]).Write("notes.csv", "1"u8).Write("unet/weights.bin", "1"u8).Write(".gitattributes", "1"u8);
        File.Copy(model[ModelFolder.Unet], model["unet/diffusion_pytorch_model.fp16.safetensors"]);
        Directory.CreateDirectory(model["samples"]);
        var notices = new NoticeList();

        var pushed = await Client.PushAsync(model.FullPath, "tiny", progress: notices, cancellationToken: Cancellation);

        pushed.Version.Digest.Should().Be((await PushAsync(Golden("models", "sd1"))).Version.Digest);
        notices.Should().SatisfyRespectively(
            notice => notice.Should().Contain("notes.csv is not taken"),
            notice => notice.Should().Contain("samples is not taken"),
            notice => notice.Should().Contain("fp16.safetensors is not taken"),
            notice => notice.Should().Contain("weights.bin is not taken"));
    }

    [Theory]
    [InlineData("sd-v1-5.ckpt")]
    [InlineData("model.pt")]
    public async Task Push_OfAPickle_SaysHowToConvertIt(string name)
    {
        File.WriteAllText(Folder[name], "");

        var push = () => PushAsync(Folder[name]);

        await push.Should().ThrowAsync<ModelSourceException>().WithMessage($"*{name}: is a pickle*safetensors.torch.save_file*");
    }

    [Fact]
    public async Task Push_OfPicklesOnlyInAComponent_SaysHowToConvertThem()
    {
        var model = new ModelFolder(Folder["model"]);
        File.Move(model[ModelFolder.Unet], model["unet/diffusion_pytorch_model.bin"]);

        var push = () => PushAsync(model.FullPath);

        await push.Should().ThrowAsync<ModelSourceException>().WithMessage("*diffusion_pytorch_model.bin: is a pickle*safe_serialization=True*");
    }

    [Fact]
    public async Task Push_OfATruncatedFile_IsRefusedBeforeAnythingIsSent()
    {
        var model = new ModelFolder(Folder["model"]);
        model.Write(ModelFolder.Unet, File.ReadAllBytes(model[ModelFolder.Unet]).AsSpan(0, 100_000));

        var push = () => PushAsync(model.FullPath);

        await push.Should().ThrowAsync<SafetensorsFormatException>().WithMessage("*truncated*");
    }

    [Fact]
    public async Task Push_OfOneModelByManyAtOnce_MakesOneVersion()
    {
        var pushes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PushAsync(Golden("models", "sd1"))));
        await Client.PullAsync(pushes[0].Version.Digest, Folder["pulled"], cancellationToken: Cancellation);

        pushes.Count(push => push.Created).Should().Be(1);
        pushes.Select(push => push.Version.Digest).Distinct().Should().ContainSingle();
        ShouldBeEqual(Folder["pulled"], Golden("models", "sd1"));
    }

    [Fact]
    public async Task Push_WhileTheRegistryRestarts_GoesOnWhereItWas()
    {
        using var client = new RegistryClient(Running.Address);
        var restarting = new RestartAt(TransferStage.Uploading, RestartAsync);

        var pushed = await client.PushAsync(Golden("models", "sd1"), "tiny", progress: restarting, cancellationToken: Cancellation);

        await restarting.Done;
        (await Client.ResolveAsync("tiny", Cancellation)).Should().Be(pushed.Version);
    }

    [Fact]
    public async Task Pull_WhileTheRegistryRestarts_GoesOnWhereItWas()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));
        using var client = new RegistryClient(Running.Address);
        var restarting = new RestartAt(TransferStage.Downloading, RestartAsync);

        await client.PullAsync(pushed.Version.Digest, Folder["pulled"], progress: restarting, cancellationToken: Cancellation);

        await restarting.Done;
        ShouldBeEqual(Folder["pulled"], Golden("models", "sd1"));
    }

    [Fact]
    public async Task Push_ThatIsCancelled_StopsAndPublishesNothing()
    {
        using var cancelling = new CancellationTokenSource();
        var progress = new CancelAt(TransferStage.Uploading, cancelling);

        var push = () => Client.PushAsync(Golden("models", "sd1"), "tiny", progress: progress, cancellationToken: cancelling.Token);

        await push.Should().ThrowAsync<OperationCanceledException>();
        (await Client.ListAsync(cancellationToken: Cancellation).AnyAsync(Cancellation)).Should().BeFalse();
    }

    [Fact]
    public async Task GetManifest_OfAManifestThatChangedInTheDatabase_IsRefused()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(DataPath, "registry.db")}"))
        {
            connection.Open();
            using var change = new SqliteCommand("UPDATE manifests SET content = CAST(REPLACE(CAST(content AS TEXT), 'vae/', 'vaf/') AS BLOB)", connection);
            change.ExecuteNonQuery();
        }

        var read = () => Client.GetManifestAsync(pushed.Version.Digest, Cancellation);

        await read.Should().ThrowAsync<InvalidDataException>();
    }

    [Fact]
    public async Task Pull_OfWantedPathsOverAFolder_ReplacesWhatDiffersAndKeepsTheRest()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));
        Directory.CreateDirectory(Folder["pulled", "vae"]);
        File.WriteAllText(Folder["pulled", "vae", "config.json"], "something else");
        File.WriteAllText(Folder["pulled", "own.txt"], "mine");

        await Client.PullAsync(
            pushed.Version.Digest, Folder["pulled"], path => path.StartsWith("vae/", StringComparison.Ordinal), cancellationToken: Cancellation);

        ShouldBeEqual(Folder["pulled", "vae"], Golden("models", "sd1", "vae"));
        Directory.EnumerateFileSystemEntries(Folder["pulled"]).Should().BeEquivalentTo([Folder["pulled", "vae"], Folder["pulled", "own.txt"]]);
    }

    [Fact]
    public async Task Pull_ThatWasCut_FetchesOnlyTheRest()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));
        var manifest = await Client.GetManifestAsync(pushed.Version.Digest, Cancellation);
        var unet = manifest.Files.Single(file => file.Path == ModelFolder.Unet);
        byte[] half = File.ReadAllBytes(Golden("models", "sd1", ModelFolder.Unet))[..(int)(unet.Size / 2)];
        Directory.CreateDirectory(Folder["pulled", "unet"]);
        File.WriteAllBytes(Folder["pulled", ModelFolder.Unet + ".partial"], half);
        File.Delete(BlobPath(Digest.FromBytes(unet.Parts[1].Sha256.Span))); // cannot be fetched, and need not be

        await Client.PullAsync(pushed.Version.Digest, Folder["pulled"], path => path == ModelFolder.Unet, cancellationToken: Cancellation);

        File.ReadAllBytes(Folder["pulled", ModelFolder.Unet]).AsSpan().SequenceEqual(File.ReadAllBytes(Golden("models", "sd1", ModelFolder.Unet))).Should().BeTrue();
    }

    private static long ElementsOf(string file) =>
        SafetensorsHeader.Read(Golden("models", "sd1", file + ".safetensors")).Entries
            .Where(entry => entry.DType == SafetensorsDType.F32).Sum(entry => entry.ByteLength / 4);

    private static void CopyFolder(string source, string destination)
    {
        Directory.CreateDirectory(destination);
        foreach (string file in Directory.EnumerateFiles(source))
        {
            File.Copy(file, Path.Combine(destination, Path.GetFileName(file)));
        }
    }

    private static void ShouldBeEqual(string actual, string expected)
    {
        string[] files = Files(expected);
        Files(actual).Should().Equal(files);
        files.Should().AllSatisfy(file => File.ReadAllBytes(Path.Combine(actual, file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(expected, file))).Should().BeTrue());

        static string[] Files(string folder) =>
            [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file)).Order(StringComparer.Ordinal)];
    }

    private sealed class RestartAt(TransferStage stage, Func<Task> restart) : IProgress<TransferProgress>
    {
        private readonly Lock gate = new();

        public Task Done { get; private set; } = Task.CompletedTask;

        public void Report(TransferProgress value)
        {
            lock (gate)
            {
                if (value.Stage == stage && ReferenceEquals(Done, Task.CompletedTask))
                {
                    Done = Task.Run(restart);
                }
            }
        }
    }

    private sealed class CancelAt(TransferStage stage, CancellationTokenSource cancelling) : IProgress<TransferProgress>
    {
        public void Report(TransferProgress value)
        {
            if (value.Stage == stage)
            {
                cancelling.Cancel();
            }
        }
    }

    private sealed class NoticeList : List<string>, IProgress<TransferProgress>
    {
        public void Report(TransferProgress value)
        {
            if (value.Notice is not null)
            {
                Add(value.Notice);
            }
        }
    }
}
