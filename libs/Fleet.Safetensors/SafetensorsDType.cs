namespace Fleet.Safetensors;

/// <summary>Element types of the format, in the order of its reference implementation.</summary>
public enum SafetensorsDType
{
    Bool,
    U8,
    I8,
    F8E5M2,
    F8E4M3,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    F64,
    I64,
    U64,
}

/// <summary>Sizes and spellings of element types.</summary>
public static class SafetensorsDTypes
{
    private static readonly (SafetensorsDType DType, string Token, int Bytes)[] All =
    [
        (SafetensorsDType.Bool, "BOOL", 1),
        (SafetensorsDType.U8, "U8", 1),
        (SafetensorsDType.I8, "I8", 1),
        (SafetensorsDType.F8E5M2, "F8_E5M2", 1),
        (SafetensorsDType.F8E4M3, "F8_E4M3", 1),
        (SafetensorsDType.I16, "I16", 2),
        (SafetensorsDType.U16, "U16", 2),
        (SafetensorsDType.F16, "F16", 2),
        (SafetensorsDType.BF16, "BF16", 2),
        (SafetensorsDType.I32, "I32", 4),
        (SafetensorsDType.U32, "U32", 4),
        (SafetensorsDType.F32, "F32", 4),
        (SafetensorsDType.F64, "F64", 8),
        (SafetensorsDType.I64, "I64", 8),
        (SafetensorsDType.U64, "U64", 8),
    ];

    /// <summary>Bytes of one element.</summary>
    public static int ByteSize(this SafetensorsDType dtype) => All[(int)dtype].Bytes;

    /// <summary>The spelling in a file's header, for example <c>BF16</c>.</summary>
    public static string Token(this SafetensorsDType dtype) => All[(int)dtype].Token;

    internal static SafetensorsDType? FromToken(string? token)
    {
        foreach (var entry in All)
        {
            if (entry.Token == token)
            {
                return entry.DType;
            }
        }

        return null;
    }
}
