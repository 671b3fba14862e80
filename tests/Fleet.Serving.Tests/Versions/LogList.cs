using System.Collections.Concurrent;
using System.IO.Enumeration;
using Microsoft.Extensions.Logging;

namespace Fleet.Serving.Tests.Versions;

/// <summary>A logger that keeps what it was told.</summary>
internal sealed class LogList<T> : ILogger<T>
{
    private readonly ConcurrentQueue<string> messages = [];
    private volatile TaskCompletionSource next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IEnumerable<string> Messages => messages;

    /// <summary>Waits until a message like the pattern, with * for anything, has come.</summary>
    public async Task UntilAsync(string pattern)
    {
        while (true)
        {
            var more = next.Task;
            if (messages.Any(message => FileSystemName.MatchesSimpleExpression(pattern, message)))
            {
                return;
            }

            await more.WaitAsync(TestContext.Current.CancellationToken);
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        messages.Enqueue(formatter(state, exception));
        Interlocked.Exchange(ref next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }
}
