using Fleet.Diffusion.Tokenization;

namespace Fleet.Diffusion.Tests.Tokenization;

/// <summary>Expected texts follow from UnicodeData.txt and UAX #15.</summary>
public sealed class CanonicalCompositionTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("e\u0301", "\u00E9")]
    [InlineData("\u212B", "\u00C5")] // Ångström sign
    [InlineData("a\u0302\u0323", "\u1EAD")] // marks are reordered before they compose
    [InlineData("a\u0301\u0301", "\u00E1\u0301")] // the second acute is blocked by nothing, but á takes none
    [InlineData("\u0915\u093C", "\u0915\u093C")] // excluded from composition
    [InlineData("\u1100\u1161\u11A8", "\uAC01")] // Hangul
    [InlineData("\uAC00\u11A8", "\uAC01")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165")] // outside the first plane
    public void Compose_Text_IsInFormC(string text, string expected) => CanonicalComposition.Compose(text).Should().Be(expected);

    [Fact]
    public void Compose_MarkBehindOneOfItsClass_IsBlocked() =>
        CanonicalComposition.Compose("a\u0305\u0301").Should().Be("a\u0305\u0301");
}
