using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;
using Grpc.Core;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Registry.Tests.Catalog;

public sealed class MetadataTestsOnSqlite() : MetadataTests(TestDatabase.Sqlite);

public sealed class MetadataTestsOnPostgres() : MetadataTests(TestDatabase.Postgres);

public abstract class MetadataTests(TestDatabase database) : RegistryTest(database)
{
    [Fact]
    public async Task Publish_KeepsWhatIsSaidAboutTheVersion()
    {
        var pushed = (await PushAsync(Golden("models", "sd1"), "base")).Version;
        var said = new VersionMetadata
        {
            License = "Apache-2.0",
            BaseVersion = pushed.Digest,
            TrainingRun = "run 7",
            ModelCard = "# Größe",
            Labels = { "anime", "v2" },
            Metrics = { ["eval/fid@10k"] = 12.25, ["clip"] = 0.1 + 0.2 },
        };

        var refused = () => PublishAsync(pushed, "tuned", said);
        await ShouldFailAsync(refused, StatusCode.InvalidArgument, $"metadata.base_version is '{pushed.Digest}'; give the digest of another version*");
        string tuned = (await PushAsync(new ModelFolder(Folder["tuned"]).ChangeTensor(ModelFolder.Unet, 0).FullPath, "scratch")).Version.Digest;
        var published = await PublishAsync(await Client.ResolveAsync(tuned, Cancellation), "tuned", said);

        published.Metadata.Should().Be(said);
        published.Revision.Should().Be(1);
        (await Client.ResolveAsync("tuned", Cancellation)).Metadata.Should().Be(said);
    }

    [Fact]
    public async Task UpdateMetadata_ReplacesTheNamedFieldsOnly()
    {
        var version = (await PushAsync(Golden("models", "sd1"))).Version;
        await UpdateAsync(version, ["license", "metrics", "labels"], new() { License = "mit", Metrics = { ["a"] = 1, ["b"] = 2 }, Labels = { "x", "x" } });

        var updated = await UpdateAsync(version, ["metrics/a", "metrics/b", "metrics/c"], new() { License = "no", Metrics = { ["a"] = 5, ["c"] = 3 } });

        updated.Metadata.Should().Be(new VersionMetadata { License = "mit", Metrics = { ["a"] = 5, ["c"] = 3 }, Labels = { "x" } });
        updated.Revision.Should().Be(3);
    }

    [Fact]
    public async Task UpdateMetadata_OfAnotherRevision_IsAborted()
    {
        var version = (await PushAsync(Golden("models", "sd1"))).Version;
        await UpdateAsync(version, ["license"], new() { License = "mit" }, expected: 1);

        await ShouldFailAsync(() => UpdateAsync(version, ["license"], new(), expected: 1),
            StatusCode.Aborted, $"version {version.Digest} of 'tiny' has revision 2, not the expected 1");
    }

    [Fact]
    public async Task UpdateMetadata_WithWhatIsNotAllowed_NamesTheField()
    {
        var version = (await PushAsync(Golden("models", "sd1"))).Version;
        (string[] Fields, VersionMetadata Metadata, string Detail)[] cases =
        [
            ([], new(), "fields is not set; name at least one*"),
            (["colour"], new(), "fields is 'colour'; give description, license*"),
            (["license"], new() { License = new string('x', 201) }, "metadata.license is '201 bytes'; give at most 200 bytes."),
            (["license"], new() { License = "a\0b" }, "metadata.license is 'text with U+0000'; give text without it."),
            (["labels"], new() { Labels = { "A" } }, "metadata.labels is 'A'; give labels of*"),
            (["metrics"], new() { Metrics = { ["a b"] = 1 } }, "metadata.metrics is 'a b'; give names of*"),
            (["metrics"], new() { Metrics = { ["a"] = double.NaN } }, "metadata.metrics['a'] is NaN; give a finite number."),
            (["base_version"], new() { BaseVersion = "x" }, "metadata.base_version is 'x'; give 'sha256:'*"),
            (["base_version"], new() { BaseVersion = version.Digest }, "metadata.base_version is *; give the digest of another version*"),
        ];

        foreach (var (fields, metadata, detail) in cases)
        {
            await ShouldFailAsync(() => UpdateAsync(version, fields, metadata), StatusCode.InvalidArgument, detail);
        }
    }

    [Fact]
    public async Task List_FindsByWordsInAnyCaseAndByFields()
    {
        var one = (await PushAsync(Golden("models", "sd1"), "acme/one")).Version;
        var two = (await PushAsync(Golden("models", "sd2"), "acme/two")).Version;
        await UpdateAsync(one, ["license", "labels", "model_card"], new() { License = "MIT", Labels = { "a_b" }, ModelCard = "Draws HÄUSER, 100% sharp" });
        await UpdateAsync(two, ["license", "labels", "base_version"], new() { License = "Apache-2.0", Labels = { "axb" }, BaseVersion = one.Digest });

        (await FindAsync(new() { Search = "häuser DRAWS" })).Should().Equal("acme/one");
        (await FindAsync(new() { Search = "100% acme" })).Should().Equal("acme/one");
        (await FindAsync(new() { Search = "draws apache" })).Should().BeEmpty();
        (await FindAsync(new() { Search = "ACME" })).Should().Equal("acme/two", "acme/one");
        (await FindAsync(new() { Label = "a_b" })).Should().Equal("acme/one");
        (await FindAsync(new() { Family = "sd2", Dtype = "F32" })).Should().Equal("acme/two");
        (await FindAsync(new() { License = "MIT", Kind = "pipeline" })).Should().Equal("acme/one");
        (await FindAsync(new() { BaseVersion = one.Digest })).Should().Equal("acme/two");
        (await FindAsync(new() { Kind = "lora" })).Should().BeEmpty();
    }

    [Fact]
    public async Task List_OfLongCards_EndsPagesBeforeTheMessageGetsTooLarge()
    {
        var version = (await PushAsync(Golden("models", "sd1"), "m-0")).Version;
        for (int i = 0; i < 20; i++)
        {
            await PublishAsync(version, $"m-{i}", new VersionMetadata());
            await UpdateAsync(new Version { Model = $"m-{i}", Digest = version.Digest }, ["model_card"], new() { ModelCard = new string('x', 256 * 1024) });
        }

        var listed = await Client.ListAsync(cancellationToken: Cancellation).ToListAsync(Cancellation);

        listed.Select(found => found.Model).Should().Equal(Enumerable.Range(0, 20).Reverse().Select(i => $"m-{i}"));
    }

    [Fact]
    public async Task Deprecate_TakesAVersionOutOfNewestAndOfListsThatAskForIt()
    {
        var old = (await PushAsync(Golden("models", "sd1"))).Version;
        var bad = (await PushAsync(new ModelFolder(Folder["bad"]).ChangeTensor(ModelFolder.Unet, 0).FullPath)).Version;

        var marked = await DeprecateAsync(bad, "draws noise");

        marked.Deprecated.Should().Be("draws noise");
        (await Client.ResolveAsync("tiny", Cancellation)).Digest.Should().Be(old.Digest);
        (await Client.ResolveAsync(bad.Digest, Cancellation)).Deprecated.Should().Be("draws noise");
        (await Rpc.ListVersionsAsync(new() { WithoutDeprecated = true }, cancellationToken: Cancellation)).Versions.Should().ContainSingle();

        await DeprecateAsync(old, "too");
        await ShouldFailAsync(() => Client.ResolveAsync("tiny", Cancellation), StatusCode.NotFound, "model 'tiny' has deprecated versions only*");
        await DeprecateAsync(bad, "");
        (await Client.ResolveAsync("tiny", Cancellation)).Digest.Should().Be(bad.Digest);
    }

    [Fact]
    public async Task Delete_RemovesTheVersion_AndARefusalNamesTheAlias()
    {
        var version = (await PushAsync(Golden("models", "sd1"), "tiny", "live")).Version;
        var request = new DeleteVersionRequest { Model = "tiny", Version = version.Digest };

        await ShouldFailAsync(async () => await Rpc.DeleteVersionAsync(request, cancellationToken: Cancellation),
            StatusCode.FailedPrecondition, $"version {version.Digest} of 'tiny' is referred to by alias 'live'");
        await Client.DeleteAliasAsync("tiny", "live", Cancellation);
        await Rpc.DeleteVersionAsync(request, cancellationToken: Cancellation);

        await ShouldFailAsync(() => Client.ResolveAsync("tiny", Cancellation), StatusCode.NotFound, "the registry has no model 'tiny'");
    }

    private async Task<Version> PublishAsync(Version version, string model, VersionMetadata metadata)
    {
        var manifest = await Client.GetManifestAsync(version.Digest, Cancellation);
        var request = new PublishRequest { Model = model, Manifest = manifest, Metadata = metadata };
        return (await Rpc.PublishAsync(request, cancellationToken: Cancellation)).Version;
    }

    private async Task<Version> UpdateAsync(Version version, string[] fields, VersionMetadata metadata, long expected = 0)
    {
        var request = new UpdateMetadataRequest
        {
            Model = version.Model,
            Version = version.Digest,
            Fields = { fields },
            Metadata = metadata,
            ExpectedRevision = expected,
        };
        return (await Rpc.UpdateMetadataAsync(request, cancellationToken: Cancellation)).Version;
    }

    private async Task<Version> DeprecateAsync(Version version, string reason)
    {
        var request = new DeprecateVersionRequest { Model = version.Model, Version = version.Digest, Reason = reason };
        return (await Rpc.DeprecateVersionAsync(request, cancellationToken: Cancellation)).Version;
    }

    private async Task<IEnumerable<string>> FindAsync(ListVersionsRequest request) =>
        (await Rpc.ListVersionsAsync(request, cancellationToken: Cancellation)).Versions.Select(version => version.Model);
}
