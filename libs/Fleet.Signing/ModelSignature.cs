using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fleet.Signing;

/// <summary>
/// A signature of a model in the OpenSSF Model Signing format v1.0: a Sigstore bundle (JSON) that holds a DSSE envelope, whose payload is a
/// <see cref="ModelStatement"/>. Facts of the format: sigstore/model-transparency (docs/model_signing_format.md), secure-systems-lab/dsse
/// (protocol.md), sigstore/protobuf-specs (sigstore_bundle.proto).
/// </summary>
public sealed class ModelSignature
{
    /// <summary>Most bytes of a bundle that is read.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    private const string MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
    private const string PayloadType = "application/vnd.in-toto+json";

    private readonly byte[] payload;
    private readonly IReadOnlyList<byte[]> signatures;

    private ModelSignature(string hint, byte[] payload, IReadOnlyList<byte[]> signatures)
    {
        KeyHint = hint;
        this.payload = payload;
        this.signatures = signatures;
    }

    /// <summary><see cref="SigningKey.Hint"/> of the key that made it; empty when the bundle names none.</summary>
    public string KeyHint { get; }

    /// <summary>Signs the files of a model; the bundle as JSON.</summary>
    /// <exception cref="SignatureException">The key is a public one.</exception>
    public static byte[] Create(string model, IEnumerable<SignedFile> files, SigningKey key)
    {
        byte[] payload = new ModelStatement(model, files).ToJson();
        var bundle = new JsonObject
        {
            ["mediaType"] = MediaType,
            ["verificationMaterial"] = new JsonObject
            {
                ["publicKey"] = new JsonObject { ["hint"] = key.Hint },
                ["tlogEntries"] = new JsonArray(),
            },
            ["dsseEnvelope"] = new JsonObject
            {
                ["payload"] = Convert.ToBase64String(payload),
                ["payloadType"] = PayloadType,
                ["signatures"] = new JsonArray(new JsonObject
                {
                    ["sig"] = Convert.ToBase64String(key.Sign(PreAuthenticationEncoding(payload))),
                    ["keyid"] = "",
                }),
            },
        };
        return JsonSerializer.SerializeToUtf8Bytes(bundle);
    }

    /// <summary>Reads a bundle. What it says is not to be believed before <see cref="Verify"/>.</summary>
    /// <exception cref="SignatureException">It is no such bundle.</exception>
    public static ModelSignature Parse(byte[] bundle)
    {
        if (bundle.Length > MaxBytes)
        {
            throw new SignatureException($"the bundle has {bundle.Length} bytes, where at most {MaxBytes} are read");
        }

        var root = JsonFields.Parse(bundle, "the bundle");
        root.Require("mediaType", MediaType);
        var envelope = root.Object("dsseEnvelope");
        envelope.Require("payloadType", PayloadType);
        var signatures = envelope.Items("signatures").Select(signature => signature.Base64("sig")).ToList();
        return signatures.Count > 0
            ? new ModelSignature(Hint(root.Object("verificationMaterial")), envelope.Base64("payload"), signatures)
            : throw new SignatureException("the bundle has no signatures");
    }

    /// <summary>What the holder of the key signed.</summary>
    /// <exception cref="SignatureException">The key did not sign this, or the statement is not one of model signing v1.0.</exception>
    public ModelStatement Verify(SigningKey key)
    {
        if (KeyHint != "" && KeyHint != key.Hint)
        {
            throw new SignatureException($"the signature was made with another key: it names {KeyHint}, and the key given is {key.Hint}");
        }

        byte[] signed = PreAuthenticationEncoding(payload);
        return signatures.Any(signature => key.Verifies(signed, signature))
            ? ModelStatement.Parse(payload)
            : throw new SignatureException("the signature does not fit what was signed: the bundle was changed, or another key made it");
    }

    /// <summary>What the bundle says, verified by nobody.</summary>
    /// <exception cref="SignatureException">The statement is not one of model signing v1.0.</exception>
    public ModelStatement ReadUnverified() => ModelStatement.Parse(payload);

    /// <summary>The bytes that a DSSE signature is made over: "DSSEv1", and type and payload, each after its length.</summary>
    internal static byte[] PreAuthenticationEncoding(byte[] payload) =>
        [.. Encoding.ASCII.GetBytes($"DSSEv1 {PayloadType.Length} {PayloadType} {payload.Length} "), .. payload];

    private static string Hint(JsonFields material) =>
        material.Has("publicKey") && material.Object("publicKey") is var key && key.Has("hint")
            ? key.Text("hint")
            : material.Has("publicKey")
                ? ""
                : throw new SignatureException("the bundle was made with a certificate or without a key; only signatures of keys are understood");
}
