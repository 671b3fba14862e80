using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Fleet.Hosting;

/// <summary>
/// A single request that protobuf cannot read (a string that is not UTF-8, bytes that end too soon) fails before any interceptor
/// sees it, as UNKNOWN. It is the caller's fault, and here it becomes INVALID_ARGUMENT.
/// </summary>
internal static class MalformedRequests
{
    private const string StatusHeader = "grpc-status";
    private const string MessageHeader = "grpc-message";
    private static readonly string Unknown = ((int)StatusCode.Unknown).ToString(CultureInfo.InvariantCulture);

    public static async Task Refuse(HttpContext context, RequestDelegate next)
    {
        await next(context);

        // A call that failed before it answered has its status among the headers, not yet sent.
        var headers = context.Response.Headers;
        string message = headers[MessageHeader].ToString();
        int cause = message.IndexOf(nameof(InvalidProtocolBufferException), StringComparison.Ordinal);
        if (!context.Response.HasStarted && headers[StatusHeader] == Unknown && cause >= 0)
        {
            headers[StatusHeader] = ((int)StatusCode.InvalidArgument).ToString(CultureInfo.InvariantCulture);
            headers[MessageHeader] = $"The message cannot be read{message[(cause + nameof(InvalidProtocolBufferException).Length)..]}";
        }
    }
}
