namespace Fleet.Diffusion.Tokenization;

// How byte-level BPE (GPT-2, CLIP) writes bytes as characters, so that every token is printable text without spaces: a byte
// that is a visible Latin-1 character stands for itself, the 68 others are U+0100 and up in order.
internal static class ByteAlphabet
{
    private static readonly char[] Characters = new char[256];
    private static readonly Dictionary<char, byte> Bytes = [];

    static ByteAlphabet()
    {
        var other = '\u0100';
        for (var value = 0; value < 256; value++)
        {
            var visible = value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;
            Characters[value] = visible ? (char)value : other++;
            Bytes[Characters[value]] = (byte)value;
        }
    }

    public static char CharacterOf(int value) => Characters[value];

    public static bool TryGetByte(char character, out byte value) => Bytes.TryGetValue(character, out value);
}
