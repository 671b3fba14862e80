namespace Fleet.Hosting;

/// <summary>A request that cannot be served as it is: the field, its value and what would be right. INVALID_ARGUMENT.</summary>
public sealed class InvalidRequestException(string field, object? value, string remedy)
    : Exception($"{field} is {Show(value)}; {remedy}.")
{
    private const int Shown = 80;

    /// <summary>The field as the proto spells it.</summary>
    public string Field { get; } = field;

    private static string Show(object? value) => value switch
    {
        null => "not set",
        "" => "empty",
        string text when text.Length > Shown => $"'{text[..Shown]}…' ({text.Length} characters)",
        string text => $"'{text}'",
        IFormattable number => number.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };
}

/// <summary>Something that was named does not exist. NOT_FOUND.</summary>
public sealed class NotFoundException(string message) : Exception(message);

/// <summary>The request is well-formed and does not fit the state it meets: weights that are damaged, tensors that do not match. FAILED_PRECONDITION.</summary>
public class PreconditionException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A version that is at fault, whatever the request: FAILED_PRECONDITION with the trailer <c>version-fault</c>.</summary>
public sealed class FaultyVersionException(string message, string fault, Exception? inner = null) : PreconditionException(message, inner)
{
    /// <summary>One of the values that <see cref="Contracts.Wire.VersionFaultTrailer"/> lists.</summary>
    public string Fault { get; } = fault;
}

/// <summary>No room now; asking again after a while may help. RESOURCE_EXHAUSTED with the trailer <c>retry-after-ms</c>.</summary>
public sealed class OverloadedException(string message, TimeSpan retryAfter) : Exception(message)
{
    /// <summary>When asking again is likely to help.</summary>
    public TimeSpan RetryAfter { get; } = retryAfter;
}

/// <summary>The id is taken by something else. ALREADY_EXISTS.</summary>
public sealed class ConflictException(string message) : Exception(message);

/// <summary>Somebody else was faster: look again, then repeat. ABORTED.</summary>
public sealed class AbortedException(string message) : Exception(message);

/// <summary>A service that this one needs cannot be reached now. UNAVAILABLE.</summary>
public sealed class UnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The call must say who makes it, and what it says is not known. UNAUTHENTICATED.</summary>
public sealed class UnauthenticatedException(string message) : Exception(message);

/// <summary>Who makes the call may not do this. PERMISSION_DENIED.</summary>
public sealed class PermissionException(string message) : Exception(message);
