using System.Globalization;
using Fleet.Hosting;

namespace Fleet.Registry.Catalog;

/// <summary>Where the next page of a list begins: a number, which callers need not know. 0 is the beginning, and "no more".</summary>
internal static class PageToken
{
    public static string Of(long position) => position == 0 ? "" : position.ToString("x", CultureInfo.InvariantCulture);

    public static long Parse(string token)
    {
        long position = 0;
        return token == "" || (long.TryParse(token, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out position) && position > 0)
            ? position
            : throw new InvalidRequestException("page_token", token, "give the next_page_token of the last response");
    }
}
