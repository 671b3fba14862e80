using Microsoft.Extensions.Time.Testing;

namespace Fleet.Registry.Tests.Rollouts;

/// <summary>Time moved by hand, whose time of day can be set wrong while its stopwatch goes on.</summary>
internal sealed class JumpingTime() : FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
{
    public TimeSpan Jump { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Jump;

    // The base derives it from the time of day, in ticks.
    public override long GetTimestamp() => base.GetTimestamp() - Jump.Ticks;
}
