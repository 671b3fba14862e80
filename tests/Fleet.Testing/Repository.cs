namespace Fleet.Testing;

/// <summary>Where things are in the checkout that the tests run from.</summary>
public static class Repository
{
    /// <summary>The folder that holds Fleet.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The folder of golden vectors: <c>FLEET_GOLDEN</c>, else tests/golden.</summary>
    public static string Golden { get; } =
        Environment.GetEnvironmentVariable("FLEET_GOLDEN") is { Length: > 0 } other ? Path.GetFullPath(other) : OwnGolden;

    /// <summary>The golden folder of this checkout, whatever <c>FLEET_GOLDEN</c> says: for tests that need a small model.</summary>
    public static string OwnGolden => Path.Combine(Root, "tests", "golden");

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Fleet.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"Fleet.sln is in no folder above {AppContext.BaseDirectory}.");
    }
}
