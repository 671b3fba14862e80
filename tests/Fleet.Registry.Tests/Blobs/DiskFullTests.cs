using System.Diagnostics;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;

namespace Fleet.Registry.Tests.Blobs;

/// <summary>A registry on a file system that is too small for the model, until it grows.</summary>
public sealed class DiskFullTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly string disk;
    private readonly bool mounted;

    public DiskFullTests()
    {
        disk = Directory.CreateDirectory(folder["disk"]).FullName;
        mounted = Environment.IsPrivilegedProcess && OperatingSystem.IsLinux() && Run("mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", disk);
    }

    public void Dispose()
    {
        _ = mounted && Run("umount", "-l", disk);
        folder.Dispose();
    }

    [Fact]
    public async Task Push_ToAFullDisk_IsRefusedShowsNothingAndEndsWhenThereIsSpace()
    {
        Assert.SkipUnless(mounted, "needs the right to mount a file system");
        string model = Path.Combine(Repository.OwnGolden, "models", "sd1");
        await using var registry = await RunningRegistry.StartAsync(Path.Combine(disk, "registry"));
        var push = () => registry.Client.PushAsync(model, "tiny", cancellationToken: TestContext.Current.CancellationToken);

        var failure = (await push.Should().ThrowAsync<RpcException>()).Which;
        var shown = await registry.Rpc.ListVersionsAsync(new ListVersionsRequest(), cancellationToken: TestContext.Current.CancellationToken);
        Run("mount", "-o", "remount,size=64m", disk).Should().BeTrue();
        var pushed = await push();

        failure.StatusCode.Should().Be(StatusCode.ResourceExhausted);
        failure.Status.Detail.Should().StartWith("The disk is full");
        shown.Versions.Should().BeEmpty();
        pushed.Created.Should().BeTrue();
        pushed.UploadedBytes.Should().BeLessThan(pushed.Version.Size, "what had come before is not sent again");
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
