namespace Fleet.Diffusion.Sampling;

/// <summary>A scheduler, or a setting of one, that does not exist or does not go with the others. The message says what does.</summary>
public sealed class SchedulerException(string message) : ArgumentException(message);
