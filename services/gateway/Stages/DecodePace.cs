namespace Fleet.Gateway.Stages;

/// <summary>What decoding has cost per pixel lately, over all jobs; nothing until the first one.</summary>
internal sealed class DecodePace
{
    private double microsecondsPerPixel;

    public TimeSpan Of(long pixels) => TimeSpan.FromMicroseconds(pixels * Volatile.Read(ref microsecondsPerPixel));

    public void Observe(long pixels, TimeSpan time) => Volatile.Write(ref microsecondsPerPixel, time.TotalMicroseconds / pixels);
}
