using System.Text.Json;
using Fleet.Diffusion.Tokenization;
using Fleet.Testing;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>Token ids of CLIP's tokenizer under both conventions of padding, compared exactly.</summary>
internal static class TokenizerCases
{
    public static void Compare(GoldenCase golden)
    {
        if (golden.Text("kind") is not "clip" and var kind)
        {
            throw new NotCoveredException($"tokenizers of kind '{kind}'");
        }

        string eotFolder = FolderOf(golden, "padded_eot");
        if (!Directory.Exists(eotFolder))
        {
            throw new NotCoveredException("a vocabulary that is not in this golden folder");
        }

        using var temporary = new TemporaryFolder();
        string bangFolder = FolderOf(golden, "padded_bang");
        var eot = ClipTokenizer.Load(eotFolder);
        var bang = ClipTokenizer.Load(Directory.Exists(bangFolder) ? bangFolder : WithBangAsPad(eotFolder, temporary.Path));
        foreach (var (tokenizer, padding) in new[] { (eot, "padded_eot"), (bang, "padded_bang") })
        {
            tokenizer.BosId.Should().Be(golden.Json.GetProperty("bos_id").GetInt32());
            tokenizer.EosId.Should().Be(golden.Json.GetProperty("eos_id").GetInt32());
            tokenizer.PadId.Should().Be(golden.Json.GetProperty("pad_id").GetProperty(padding).GetInt32());
        }

        foreach (var expected in golden.Json.GetProperty("cases").EnumerateArray())
        {
            Compare(expected, eot, bang);
        }
    }

    private static void Compare(JsonElement expected, ClipTokenizer eot, ClipTokenizer bang)
    {
        string text = expected.GetProperty("text").GetString()!;
        var ids = eot.Encode(text);
        var idsBang = bang.Encode(text);

        ids.Should().Equal(Ids("ids"), "ids of '{0}'", text);
        idsBang.Should().Equal(Ids("ids_bang"), "ids_bang of '{0}'", text);
        ids.Select(eot.Token).Should().Equal(expected.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()), "tokens of '{0}'", text);
        Ids("ids_with_special").Should().Equal([eot.BosId, .. ids, eot.EosId], "ids_with_special of '{0}'", text);
        eot.Frame(ids).Should().Equal(Ids("padded_eot"), "padded_eot of '{0}'", text);
        bang.Frame(idsBang).Should().Equal(Ids("padded_bang"), "padded_bang of '{0}'", text);
        Mask(ids).Should().Equal(Ids("attention_mask_eot"), "attention_mask_eot of '{0}'", text);
        Mask(idsBang).Should().Equal(Ids("attention_mask_bang"), "attention_mask_bang of '{0}'", text);
        (ids.Count > ClipTokenizer.ChunkLength).Should().Be(expected.GetProperty("truncated").GetBoolean(), "truncated of '{0}'", text);
        eot.Decode(ids).Should().Be(expected.GetProperty("decoded").GetString(), "decoded of '{0}'", text);

        int[] Ids(string field) => [.. expected.GetProperty(field).EnumerateArray().Select(id => id.GetInt32())];
    }

    private static IEnumerable<int> Mask(IReadOnlyList<int> ids) =>
        Enumerable.Range(0, ClipTokenizer.ContextLength).Select(i => i < ids.Count + 2 ? 1 : 0);

    private static string FolderOf(GoldenCase golden, string padding) =>
        Path.Combine(GoldenSet.Folder, golden.Entry.GetProperty("folders").GetProperty(padding).GetString()!);

    private static string WithBangAsPad(string eotFolder, string folder)
    {
        foreach (string name in new[] { "vocab.json", "merges.txt" })
        {
            File.Copy(Path.Combine(eotFolder, name), Path.Combine(folder, name));
        }

        File.WriteAllText(Path.Combine(folder, "special_tokens_map.json"), """{ "pad_token": "!" }""");
        return folder;
    }
}
