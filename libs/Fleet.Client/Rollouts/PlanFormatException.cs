using YamlDotNet.Core;

namespace Fleet.Client.Rollouts;

/// <summary>A plan's YAML that is no plan; the message begins with line and column, both from 1.</summary>
public sealed class PlanFormatException : Exception
{
    internal PlanFormatException(Mark at, string message, Exception? inner = null)
        : base($"line {at.Line}, column {at.Column}: {message}", inner)
    {
    }
}
