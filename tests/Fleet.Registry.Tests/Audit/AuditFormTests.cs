using System.Security.Cryptography;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Tests.Audit;

public sealed class AuditFormTests
{
    [Fact]
    public void HashOf_IsOverThePreviousHashAndTheFieldsInOrder()
    {
        var entry = new AuditEntry
        {
            Sequence = 5,
            At = new Timestamp { Seconds = 7 },
            Actor = "a",
            Action = "b",
            Model = "m",
            Subject = "s",
            Details = { ["to"] = "y", ["from"] = "x" },
            PreviousHash = ByteString.CopyFrom(1, 2, 3),
        };

        // Written by hand: field 1 varint; 2 to 6 and 8 length-delimited; 7 twice, "from" before "to".
        byte[] fields =
        [
            0x08, 5, 0x12, 2, 0x08, 7, 0x1a, 1, (byte)'a', 0x22, 1, (byte)'b', 0x2a, 1, (byte)'m', 0x32, 1, (byte)'s',
            0x3a, 9, 0x0a, 4, .. "from"u8, 0x12, 1, (byte)'x', 0x3a, 7, 0x0a, 2, .. "to"u8, 0x12, 1, (byte)'y', 0x42, 3, 1, 2, 3,
        ];
        AuditForm.HashOf(entry).ToByteArray().Should().Equal(SHA256.HashData([1, 2, 3, .. fields]));
    }

    [Fact]
    public void HashOf_DoesNotDependOnTheOrderOfDetailsOrOnTheHash()
    {
        var one = new AuditEntry { Details = { ["b"] = "2", ["a"] = "1" } };
        var other = new AuditEntry { Details = { ["a"] = "1", ["b"] = "2" }, Hash = AuditForm.NoHash };

        AuditForm.HashOf(one).Should().Equal(AuditForm.HashOf(other));
    }
}
