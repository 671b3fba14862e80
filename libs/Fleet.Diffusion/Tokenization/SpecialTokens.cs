using System.Text.Json;
using Fleet.Diffusion.Weights;

namespace Fleet.Diffusion.Tokenization;

// The names of the special tokens. special_tokens_map.json is asked before tokenizer_config.json: SD 2.x names "!" as padding
// in the first and, in some copies, the end token in the second, and the first is right.
internal sealed record SpecialTokens(string Bos, string Eos, string Unknown, string Pad)
{
    private const string End = "<|endoftext|>";

    public IEnumerable<string> All => new[] { Bos, Eos, Unknown, Pad }.Distinct();

    public static SpecialTokens Read(IModelFiles files, string prefix)
    {
        var configs = new[] { $"{prefix}special_tokens_map.json", $"{prefix}tokenizer_config.json" }
            .Where(files.Paths.Contains)
            .Select(path => JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(files.Locate(path))))
            .ToList();

        string Name(string key, string otherwise) => configs.Select(file => Content(file, key)).FirstOrDefault(name => name is not null) ?? otherwise;

        return new SpecialTokens(Name("bos_token", "<|startoftext|>"), Name("eos_token", End), Name("unk_token", End), Name("pad_token", End));
    }

    // A token is written as its text, or as an object with the text as "content".
    private static string? Content(JsonElement file, string key)
    {
        if (file.ValueKind is not JsonValueKind.Object || !file.TryGetProperty(key, out var token))
        {
            return null;
        }

        if (token.ValueKind is JsonValueKind.Object && token.TryGetProperty("content", out var content))
        {
            token = content;
        }

        return token.ValueKind is JsonValueKind.String && token.GetString() is { Length: > 0 } text ? text : null;
    }
}
