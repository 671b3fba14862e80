using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Text;
using Fleet.Cli;
using Fleet.Cli.Audit;
using Fleet.Cli.Doctor;
using Fleet.Cli.Fleets;
using Fleet.Cli.Generate;
using Fleet.Cli.Models;
using Fleet.Cli.Recipes;
using Fleet.Cli.Rollouts;
using Fleet.Cli.Terminal;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false); // events are UTF-8 whatever the terminal speaks

var help = new HelpOption();
help.Action = new HelpWithExamples((HelpAction)help.Action!);
var fleet = new DocumentedCommand(
    "fleet",
    "Stable Diffusion pictures from a fleet of services",
    "fleet generate \"a photo of a fox\" -o fox.png",
    "fleet up",
    "fleet doctor")
{
    GenerateCommand.Create(),
    UpCommand.Create(),
    ModelsCommand.Create(),
    RolloutCommand.Create(),
    AuditCommand.Create(),
    SamplersCommand.Create(),
    InspectCommand.Create(),
    ReplayCommand.Create(),
    DoctorCommand.Create(),
    GlobalOptions.Json,
    GlobalOptions.Quiet,
    GlobalOptions.Verbose,
    help,
    new VersionOption(),
};

var parsed = fleet.Parse(args.Length > 0 ? args : ["--help"]);
var output = parsed.Output();
using var interruption = new Interruption();
try
{
    return parsed.Action is ParseErrorAction
        ? throw ParseFailure.From(parsed)
        : await parsed.InvokeAsync(
            new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interruption.Token);
}
catch (Exception exception)
{
    return output.Fail(exception, parsed.RemoteAddress());
}
