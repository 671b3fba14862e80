using System.Globalization;
using Fleet.Diffusion.Tokenization;

namespace Fleet.Diffusion.Tests.Tokenization;

/// <summary>Expected parts are worked out by hand from the rules in the summary of PromptSyntax; "|" is BREAK.</summary>
public sealed class PromptSyntaxTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("plain text", "plain text=1")]
    [InlineData("an (important) word", "an =1;important=1.1; word=1")]
    [InlineData("a (cat:1.3) and [dog]", "a =1;cat=1.3; and =1;dog=0.909")]
    [InlineData("((a)(b:2))", "a=1.21;b=2.2")]
    [InlineData("(a [b])", "a =1.1;b=1")]
    [InlineData("(one)(two)", "onetwo=1.1")]
    [InlineData("(never closed", "never closed=1.1")]
    [InlineData("never opened)]:1.2)", "never opened)]:1.2)=1")]
    [InlineData("(a: 0.5 )", "a=0.5")]
    [InlineData("(a:-1)", "a=-1")]
    [InlineData("(3:4 ratio)", "3:4 ratio=1.1")]
    [InlineData("(a:1.2.3)", "a:1.2.3=1.1")]
    [InlineData(@"\(a\) \[b\] c\\d e\f", @"(a) [b] c\d ef=1")]
    [InlineData("a BREAK b", "a =1;|; b=1")]
    [InlineData("(a BREAK b:2)", "a =2;|; b=2")]
    [InlineData("BREAKFAST, xBREAK", "BREAKFAST, xBREAK=1")]
    public void Parse_Prompt_GivesPartsAndWeights(string prompt, string expected)
    {
        var parts = PromptSyntax.Parse(prompt)
            .Where(part => part.Text.Length > 0 || part.IsBreak)
            .Select(part => part.IsBreak ? "|" : $"{part.Text}={Math.Round(part.Weight, 3).ToString(CultureInfo.InvariantCulture)}");

        string.Join(";", parts).Should().Be(expected);
    }

    [Theory]
    [InlineData("(a:10000000)")]
    [InlineData("(((a:1000):1000):1000)")]
    public void Parse_WeightThatIsTooLarge_IsRefusedWithItsText(string prompt)
    {
        var parse = () => PromptSyntax.Parse(prompt);

        parse.Should().Throw<PromptException>().WithMessage("The weight 1E+0* of 'a' is beyond*");
    }
}
