using System.Globalization;
using Fleet.Client;
using Microsoft.AspNetCore.Diagnostics;

namespace PictureService;

/// <summary>What the fleet refuses becomes an HTTP status with the fleet's own words.</summary>
internal sealed class FleetExceptionHandler(IProblemDetailsService problems) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext http, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is not FleetException failure)
        {
            return false;
        }

        http.Response.StatusCode = failure switch
        {
            FleetInvalidRequestException => StatusCodes.Status400BadRequest,
            FleetNotFoundException => StatusCodes.Status404NotFound,
            FleetPreconditionException => StatusCodes.Status422UnprocessableEntity,
            FleetOverloadedException => StatusCodes.Status429TooManyRequests,
            FleetUnavailableException => StatusCodes.Status503ServiceUnavailable,
            FleetDeadlineException => StatusCodes.Status504GatewayTimeout,
            _ => StatusCodes.Status502BadGateway,
        };
        if (failure is FleetOverloadedException overloaded)
        {
            http.Response.Headers.RetryAfter = Math.Ceiling(overloaded.RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }

        await problems.WriteAsync(new ProblemDetailsContext { HttpContext = http, ProblemDetails = { Detail = failure.Message } });
        return true;
    }
}
