using System.CommandLine;

namespace Fleet.Cli.Audit;

/// <summary><c>fleet audit</c>: the registry's log of changes.</summary>
internal static class AuditCommand
{
    public static Command Create() => new DocumentedCommand(
        "audit",
        "Read the registry's log of changes and check that nobody rewrote it",
        "fleet audit list --model studio/fox",
        "fleet audit verify")
    {
        AuditListCommand.Create(),
        AuditVerifyCommand.Create(),
    };
}
