using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Fleet.Serving.Tests.Versions;

/// <summary>A logger that keeps what it was told.</summary>
internal sealed class LogList<T> : ILogger<T>
{
    private readonly ConcurrentQueue<string> messages = [];

    public IEnumerable<string> Messages => messages;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        messages.Enqueue(formatter(state, exception));
}
