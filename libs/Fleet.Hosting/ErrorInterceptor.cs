using System.Globalization;
using Fleet.Contracts;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Fleet.Hosting;

/// <summary>The one place where exceptions become gRPC status codes.</summary>
internal sealed partial class ErrorInterceptor(ILogger<ErrorInterceptor> logger) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception e)
        {
            throw Map(e, context);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(new CallerStream<TRequest>(requests), context);
        }
        catch (Exception e)
        {
            throw Map(e, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responses, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responses, context);
        }
        catch (Exception e)
        {
            throw Map(e, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests,
        IServerStreamWriter<TResponse> responses,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(new CallerStream<TRequest>(requests), responses, context);
        }
        catch (Exception e)
        {
            throw Map(e, context);
        }
    }

    private RpcException Map(Exception e, ServerCallContext context)
    {
        switch (e)
        {
            case RpcException own:
                return own;
            case InvalidRequestException or TensorStreamException:
                return Status(StatusCode.InvalidArgument, e);
            case InvalidProtocolBufferException:
                return Status(StatusCode.InvalidArgument, $"The message cannot be read: {e.Message}");
            case NotFoundException:
                return Status(StatusCode.NotFound, e);
            case FaultyVersionException faulty:
                return Status(StatusCode.FailedPrecondition, e, new Metadata { { Wire.VersionFaultTrailer, faulty.Fault } });
            case PreconditionException:
                return Status(StatusCode.FailedPrecondition, e);
            case ConflictException:
                return Status(StatusCode.AlreadyExists, e);
            case AbortedException:
                return Status(StatusCode.Aborted, e);
            case UnauthenticatedException:
                return Status(StatusCode.Unauthenticated, e);
            case PermissionException:
                return Status(StatusCode.PermissionDenied, e);
            case UnavailableException:
                return Status(StatusCode.Unavailable, e);
            case OverloadedException overloaded:
                return Status(StatusCode.ResourceExhausted, e, new Metadata
                {
                    { Wire.RetryAfterTrailer, ((long)overloaded.RetryAfter.TotalMilliseconds).ToString(CultureInfo.InvariantCulture) },
                });
            case OperationCanceledException when context.Deadline <= DateTime.UtcNow:
                return Status(StatusCode.DeadlineExceeded, "The deadline of the call has passed.");
            case OperationCanceledException:
                return Status(StatusCode.Cancelled, "The call was cancelled.");
            case IOException when context.CancellationToken.IsCancellationRequested:
            case IOException { InnerException: ConnectionAbortedException or ConnectionResetException }:
                return Status(StatusCode.Cancelled, "The caller went away.");
            case IOException when IsDiskFull(e):
                return Status(StatusCode.ResourceExhausted, $"The disk is full: {e.Message}");
            default:
                string id = Guid.NewGuid().ToString("N")[..12];
                Log.Unexpected(logger, e, context.Method, id);
                return Status(StatusCode.Internal, $"Unexpected error {id}; the service's log has the details.");
        }
    }

    private static bool IsDiskFull(Exception e) => OperatingSystem.IsWindows()
        ? (e.HResult & 0xFFFF) is 0x70 /* ERROR_DISK_FULL */ or 0x27 /* ERROR_HANDLE_DISK_FULL */
        : (e.HResult & 0xFFFF) is 28 /* ENOSPC */;

    private static RpcException Status(StatusCode code, Exception e, Metadata? trailers = null) =>
        new(new Status(code, e.Message, e), trailers ?? []);

    private static RpcException Status(StatusCode code, string message) => new(new Status(code, message));

    // Reading a message that protobuf understands fails only because the caller is gone, which may be noticed here before the
    // call's token says so. (Protobuf's own exception is an IOException too.)
    private sealed class CallerStream<T>(IAsyncStreamReader<T> requests) : IAsyncStreamReader<T>
    {
        public T Current => requests.Current;

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            try
            {
                return await requests.MoveNext(cancellationToken);
            }
            catch (IOException e) when (e is not InvalidProtocolBufferException)
            {
                throw new OperationCanceledException("The caller went away.", e);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "{Method} failed with unexpected error {ErrorId}")]
        public static partial void Unexpected(ILogger logger, Exception exception, string method, string errorId);
    }
}
