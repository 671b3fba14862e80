using Spectre.Console;
using Spectre.Console.Rendering;

namespace Fleet.Cli.Terminal;

/// <summary>
/// A picture in a terminal: each character cell is an upper half block, whose foreground is one pixel and whose
/// background is the pixel below. Larger pictures are averaged down to the columns given.
/// </summary>
/// <param name="rgb">Rows from the top, 3 bytes a pixel.</param>
internal sealed class HalfBlockPicture(byte[] rgb, int width, int height, int columns) : Renderable
{
    protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
    {
        int across = Math.Min(Math.Min(columns, width), maxWidth);
        int down = Math.Max(2, (int)Math.Round((double)across * height / width / 2) * 2);

        for (int y = 0; y < down; y += 2)
        {
            for (int x = 0; x < across; x++)
            {
                yield return new Segment("▀", new Style(Average(x, y, across, down), Average(x, y + 1, across, down)));
            }

            yield return Segment.LineBreak;
        }
    }

    private Color Average(int x, int y, int across, int down)
    {
        int left = x * width / across, right = Math.Max(left + 1, (x + 1) * width / across);
        int top = y * height / down, bottom = Math.Max(top + 1, (y + 1) * height / down);
        int red = 0, green = 0, blue = 0;

        for (int row = top; row < bottom; row++)
        {
            for (int at = ((row * width) + left) * 3; at < ((row * width) + right) * 3; at += 3)
            {
                red += rgb[at];
                green += rgb[at + 1];
                blue += rgb[at + 2];
            }
        }

        int pixels = (right - left) * (bottom - top);
        return new Color((byte)(red / pixels), (byte)(green / pixels), (byte)(blue / pixels));
    }
}
