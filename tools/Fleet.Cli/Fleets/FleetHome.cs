namespace Fleet.Cli.Fleets;

/// <summary>The folder of the embedded fleet's data: <c>FLEET_HOME</c>, else "fleet" in the user's data folder.</summary>
internal static class FleetHome
{
    public const string Variable = "FLEET_HOME";

    /// <summary>Full path; the folder need not exist.</summary>
    public static string Folder { get; } = Path.GetFullPath(
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } chosen
            ? chosen
            : Path.Combine(
                Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "fleet"));

    /// <summary>Creates the folder when there is none.</summary>
    public static void MustBeUsable()
    {
        try
        {
            Directory.CreateDirectory(Folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(
                ExitCode.InputOutput, $"the data folder {Folder} cannot be created: {exception.Message}", $"name another one with {Variable}", exception);
        }
    }

    /// <summary>The registry's database and blobs.</summary>
    public static string Registry => Path.Combine(Folder, "registry");

    /// <summary>What imports from hubs fetched and have not published yet.</summary>
    public static string Imports => Path.Combine(Folder, "imports");

    /// <summary>Versions as the stages load them.</summary>
    public static string Versions => Path.Combine(Folder, "versions");
}
