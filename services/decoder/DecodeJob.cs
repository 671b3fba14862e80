using System.Text;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Diffusion.Imaging;
using Fleet.Hosting;

namespace Fleet.Decoder;

/// <summary>The start of a Decode call, within the limits of decoder.proto.</summary>
internal sealed record DecodeJob(string Version, IReadOnlyList<ImageText> Text)
{
    private const int MaxRecords = 32;
    private const int MaxTextBytes = 256 * 1024;

    public static DecodeJob Parse(DecodeStart? start)
    {
        if (start is null)
        {
            throw new InvalidRequestException("start", null, "send it as the first message");
        }

        RequestRules.RequestId(start.RequestId);
        RequestRules.VersionDigest(start.Version);
        if (start.Output is not { Format: ImageFormat.Png } output)
        {
            throw new InvalidRequestException("start.output.format", start.Output?.Format, "give IMAGE_FORMAT_PNG");
        }

        RequestRules.Within("start.output.text.length", output.Text.Count, 0, MaxRecords);
        for (int i = 0; i < output.Text.Count; i++)
        {
            Check(output.Text[i], $"start.output.text[{i}]");
        }

        return new DecodeJob(start.Version, output.Text);
    }

    /// <summary>The records of one picture.</summary>
    public IReadOnlyList<TextRecord> RecordsOf(LatentsStart picture) => [.. Text.Select(record => new TextRecord(record.Keyword, TextOf(record, picture)))];

    private static string TextOf(ImageText record, LatentsStart picture) =>
        record.Templated ? ImageTextTemplate.Expand(record.Text, picture.Seed, picture.ImageIndex) : record.Text;

    private static void Check(ImageText record, string field)
    {
        int bytes = Encoding.UTF8.GetByteCount(record.Text);
        if (bytes > MaxTextBytes)
        {
            throw new InvalidRequestException($"{field}.text", $"of {bytes} bytes", $"give at most {MaxTextBytes}");
        }

        try
        {
            PngWriter.Check(new TextRecord(record.Keyword, record.Text));
        }
        catch (PictureFormatException e)
        {
            throw new InvalidRequestException(field, record.Keyword, e.Message.TrimEnd('.'));
        }
    }
}
