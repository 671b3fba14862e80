using Fleet.Serving.Versions;
using Fleet.Testing;

namespace Fleet.Serving.Tests.Versions;

public sealed class RegistryAddressOptionsTests
{
    [Fact]
    public void ReadToken_IsTheTokenElseThatOfTheFileElseNone()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["token"], "from-the-file\n");

        new RegistryAddressOptions { Token = "given", TokenFile = folder["token"] }.ReadToken().Should().Be("given");
        new RegistryAddressOptions { TokenFile = folder["token"] }.ReadToken().Should().Be("from-the-file");
        new RegistryAddressOptions().ReadToken().Should().BeEmpty();
    }
}
