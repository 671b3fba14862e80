using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fleet.Signing;

/// <summary>A file of a model: its path with '/' between folders, and the SHA-256 of its content, 64 lower-case hexadecimal digits.</summary>
public sealed record SignedFile(string Path, string Sha256);

/// <summary>
/// What a signature says of a model: an in-toto Statement v1 (https://in-toto.io/Statement/v1) with the predicate of OpenSSF Model Signing v1.0,
/// which lists each file with its digest. The subject's digest is the SHA-256 of the files' digests, as bytes, in the order of the list.
/// </summary>
public sealed class ModelStatement
{
    /// <summary>The file that holds a folder's signature, which a signature does not list.</summary>
    public const string SignatureFile = "model.sig";

    private const string StatementType = "https://in-toto.io/Statement/v1";
    private const string PredicateType = "https://model_signing/signature/v1.0";
    private const string Algorithm = "sha256";

    /// <summary>The statement of these files, ordered by path, folder by folder.</summary>
    public ModelStatement(string model, IEnumerable<SignedFile> files)
    {
        Model = model;
        Files = [.. files.OrderBy(file => file.Path.Replace('/', '\0'), StringComparer.Ordinal)];
    }

    private ModelStatement(string model, List<SignedFile> files)
    {
        Model = model;
        Files = files;
    }

    /// <summary>Name of the subject.</summary>
    public string Model { get; }

    /// <summary>The files, in the order of the list.</summary>
    public IReadOnlyList<SignedFile> Files { get; }

    /// <summary>How files differ from those of the statement, in words; none when they are the same.</summary>
    public IReadOnlyList<string> Differences(IEnumerable<SignedFile> files)
    {
        var signed = Files.ToDictionary(file => file.Path, file => file.Sha256, StringComparer.Ordinal);
        var actual = files.ToDictionary(file => file.Path, file => file.Sha256, StringComparer.Ordinal);
        return
        [
            .. signed.Keys.Where(path => !actual.ContainsKey(path)).Select(path => $"{path} is signed and missing"),
            .. actual.Keys.Where(path => !signed.ContainsKey(path)).Select(path => $"{path} is not signed"),
            .. actual.Where(file => signed.TryGetValue(file.Key, out string? sha256) && sha256 != file.Value)
                .Select(file => $"{file.Key} is not what was signed: it has the SHA-256 {file.Value}, and {signed[file.Key]} was signed"),
        ];
    }

    internal byte[] ToJson()
    {
        var resources = new JsonArray(
            [.. Files.Select(file => new JsonObject { ["name"] = file.Path, ["algorithm"] = Algorithm, ["digest"] = file.Sha256 })]);
        var statement = new JsonObject
        {
            ["_type"] = StatementType,
            ["subject"] = new JsonArray(new JsonObject { ["name"] = Model, ["digest"] = new JsonObject { [Algorithm] = RootDigest(Files) } }),
            ["predicateType"] = PredicateType,
            ["predicate"] = new JsonObject
            {
                ["serialization"] = new JsonObject
                {
                    ["method"] = "files",
                    ["hash_type"] = Algorithm,
                    ["allow_symlinks"] = false,
                    ["ignore_paths"] = new JsonArray(SignatureFile),
                },
                ["resources"] = resources,
            },
        };
        return JsonSerializer.SerializeToUtf8Bytes(statement);
    }

    internal static ModelStatement Parse(byte[] json)
    {
        var root = JsonFields.Parse(json, "the statement");
        root.Require("_type", StatementType);
        root.Require("predicateType", PredicateType);
        var subjects = root.Items("subject");
        if (subjects.Count != 1)
        {
            throw new SignatureException($"the statement has {subjects.Count} subjects, where one is needed");
        }

        var predicate = root.Object("predicate");
        var serialization = predicate.Object("serialization");
        serialization.Require("method", "files"); // shards of files say nothing that a whole file could be checked by
        serialization.Require("hash_type", Algorithm);

        var files = predicate.Items("resources").Select(ParseResource).ToList();
        if (files.DistinctBy(file => file.Path).Count() < files.Count)
        {
            throw new SignatureException("the statement lists a file twice");
        }

        string expected = subjects[0].Object("digest").Text(Algorithm);
        string actual = RootDigest(files);
        return expected == actual
            ? new ModelStatement(subjects[0].Text("name"), files)
            : throw new SignatureException($"the statement contradicts itself: the subject's digest is {expected}, and its files have {actual} together");
    }

    private static SignedFile ParseResource(JsonFields resource)
    {
        resource.Require("algorithm", Algorithm);
        string digest = resource.Text("digest");
        return digest.Length == 2 * SHA256.HashSizeInBytes && digest.All(char.IsAsciiHexDigitLower)
            ? new SignedFile(resource.Text("name"), digest)
            : throw new SignatureException($"the statement has the digest '{digest}', which is no SHA-256 in lower-case hexadecimal digits");
    }

    private static string RootDigest(IEnumerable<SignedFile> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in files)
        {
            hash.AppendData(Convert.FromHexString(file.Sha256));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
