using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fleet.Hosting;

/// <summary>What every service of the fleet has in common: gRPC with limits and error mapping, health, reflection.</summary>
public static class FleetDefaults
{
    /// <summary>The largest gRPC message that is sent or received, in bytes. Tensors and files go as frames far below it.</summary>
    public const int MaxMessageBytes = 4 * 1024 * 1024;

    /// <summary>A builder that reads settings from the command line and the environment only, wherever it is started from.</summary>
    public static WebApplicationBuilder CreateBuilder(string service, string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ApplicationName = $"fleet-{service}",
            Args = args,
            ContentRootPath = AppContext.BaseDirectory,
            EnvironmentName = Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT") ?? Environments.Production,
        });

        // HTTP/2 without TLS, as gRPC over loopback and behind a sidecar speaks it.
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Protocols = HttpProtocols.Http2);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null; // streams are bounded by message and by count
            kestrel.Limits.MinRequestBodyDataRate = null; // a stream may wait for the other side
        });

        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
            console.UseUtcTimestamp = true;
        });
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.Logging.AddFilter("Grpc", LogLevel.Warning);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(15));
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = MaxMessageBytes;
            grpc.MaxSendMessageSize = MaxMessageBytes;
            grpc.Interceptors.Add<ErrorInterceptor>();
            grpc.EnableDetailedErrors = true; // says what MalformedRequests looks for; the interceptor hides all other causes
        });
        builder.Services.AddGrpcReflection();
        builder.Services.AddGrpcHealthChecks().AddCheck("started", () => HealthCheckResult.Healthy());
        builder.Services.AddSingleton(TimeProvider.System);
        return builder;
    }

    /// <summary>Maps health (grpc.health.v1) and reflection.</summary>
    public static WebApplication MapFleetDefaults(this WebApplication app)
    {
        app.Use(MalformedRequests.Refuse);
        app.MapGrpcHealthChecksService();
        app.MapGrpcReflectionService();
        return app;
    }

    /// <summary>Binds a section of the configuration to an options class and checks it when the process starts.</summary>
    public static IServiceCollection AddFleetOptions<TOptions>(this IServiceCollection services, string section)
        where TOptions : class
    {
        services.AddOptionsWithValidateOnStart<TOptions>().BindConfiguration(section).ValidateDataAnnotations();
        return services;
    }
}
