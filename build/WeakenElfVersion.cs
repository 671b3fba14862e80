using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>Copies a little-endian ELF64 library, marking its requirement of one symbol version as weak.</summary>
/// <remarks>
/// The dynamic loader refuses a library whose strong version requirements it cannot meet and only warns about weak ones
/// (VER_FLG_WEAK in vna_flags). Layout: System V gABI, "Symbol Versioning", section type SHT_GNU_verneed.
/// </remarks>
public class WeakenElfVersion : Task
{
    [Required]
    public string Source { get; set; }

    [Required]
    public string Destination { get; set; }

    [Required]
    public string SymbolVersion { get; set; }

    public override bool Execute()
    {
        byte[] image = File.ReadAllBytes(Source);
        int weakened = Weaken(image, SymbolVersion);

        Directory.CreateDirectory(Path.GetDirectoryName(Destination));
        string temporary = Destination + "." + Guid.NewGuid().ToString("N") + ".tmp";
        File.WriteAllBytes(temporary, image);

        // Delete first: the destination may be a link, and writing through it would change the package cache.
        File.Delete(Destination);
        try
        {
            File.Move(temporary, Destination);
        }
        catch (IOException) when (File.Exists(Destination))
        {
            File.Delete(temporary); // another project of a parallel build wrote the same bytes
        }

        Log.LogMessage(MessageImportance.Normal, "{0}: {1} requirement(s) of {2} marked weak", Destination, weakened, SymbolVersion);
        return true;
    }

    private static int Weaken(byte[] image, string version)
    {
        const uint GnuVersionNeeds = 0x6ffffffe;
        const byte WeakFlag = 2;

        long sectionTable = BitConverter.ToInt64(image, 0x28);
        int sectionSize = BitConverter.ToUInt16(image, 0x3a);
        int sectionCount = BitConverter.ToUInt16(image, 0x3c);
        int weakened = 0;

        for (int i = 0; i < sectionCount; i++)
        {
            int section = checked((int)(sectionTable + (long)sectionSize * i));
            if (BitConverter.ToUInt32(image, section + 4) != GnuVersionNeeds)
            {
                continue;
            }

            int need = (int)BitConverter.ToInt64(image, section + 0x18);
            int stringSection = checked((int)(sectionTable + (long)sectionSize * BitConverter.ToInt32(image, section + 0x28)));
            int strings = (int)BitConverter.ToInt64(image, stringSection + 0x18);

            while (true)
            {
                int entries = BitConverter.ToUInt16(image, need + 2);
                int entry = need + BitConverter.ToInt32(image, need + 8);
                for (int k = 0; k < entries; k++)
                {
                    int name = strings + BitConverter.ToInt32(image, entry + 8);
                    int end = Array.IndexOf(image, (byte)0, name);
                    if (Encoding.ASCII.GetString(image, name, end - name) == version)
                    {
                        image[entry + 4] |= WeakFlag;
                        weakened++;
                    }

                    entry += BitConverter.ToInt32(image, entry + 12);
                }

                int next = BitConverter.ToInt32(image, need + 12);
                if (next == 0)
                {
                    break;
                }

                need += next;
            }
        }

        return weakened;
    }
}
