using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Fleet.Client;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace PictureService;

/// <summary>A web service of its own that makes its pictures on a fleet.</summary>
public static class PictureHost
{
    public static Task Main(string[] args) => Create(args).RunAsync();

    /// <summary>Builds the service; the fleet's address is the setting <c>Fleet:Address</c>.</summary>
    public static WebApplication Create(params string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddFleetClient(fleet =>
        {
            fleet.Address = builder.Configuration["Fleet:Address"] ?? "http://localhost:7860";
            fleet.Timeout = TimeSpan.FromMinutes(5);
        });
        builder.Services.AddHealthChecks().AddCheck<FleetHealth>("fleet", timeout: TimeSpan.FromSeconds(5));
        builder.Services.AddProblemDetails();
        builder.Services.AddExceptionHandler<FleetExceptionHandler>();

        var app = builder.Build();
        app.UseExceptionHandler();
        app.MapPost("/pictures", MakeAsync);
        app.MapPost("/pictures/events", (PictureRequest request, FleetClient fleet, CancellationToken gone) =>
            TypedResults.ServerSentEvents(WatchAsync(request, fleet, gone)));
        app.MapHealthChecks("/health");
        return app;
    }

    // The token fires when the browser goes away. The loop then ends, and with it the work on the fleet.
    private static async Task<IResult> MakeAsync(PictureRequest request, FleetClient fleet, HttpResponse response, CancellationToken gone)
    {
        ImageReceived? picture = null;
        await foreach (var happened in fleet.GenerateAsync(request.ToGeneration(), gone))
        {
            picture = happened as ImageReceived ?? picture;
        }

        response.Headers["Picture-Seed"] = $"{picture!.Seed}";
        return TypedResults.Bytes(picture.File, "image/png");
    }

    private static async IAsyncEnumerable<SseItem<object>> WatchAsync(
        PictureRequest request, FleetClient fleet, [EnumeratorCancellation] CancellationToken gone)
    {
        await foreach (var happened in fleet.GenerateAsync(request.ToGeneration() with { PreviewInterval = 5 }, gone))
        {
            switch (happened)
            {
                case GenerationProgress progress:
                    yield return new(new { progress.Step, progress.Steps, EtaSeconds = progress.Eta?.TotalSeconds }, "progress");
                    break;
                case PreviewReceived preview:
                    yield return new(new { preview.Step, Png = preview.Png }, "preview");
                    break;
                case ImageReceived image:
                    yield return new(new { image.Seed, Png = image.File }, "picture");
                    break;
            }
        }
    }

    private sealed class FleetHealth(FleetClient fleet) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
        {
            try
            {
                var schedulers = await fleet.ListSchedulersAsync(cancellationToken);
                return HealthCheckResult.Healthy($"The fleet offers {schedulers.Count} schedulers.");
            }
            catch (FleetException e)
            {
                return HealthCheckResult.Unhealthy(e.Message);
            }
        }
    }
}
