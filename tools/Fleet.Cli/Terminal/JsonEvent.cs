using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fleet.Cli.Terminal;

/// <summary>A line of <c>--json</c> output. The names here are what scripts read: additions only. Described in docs/cli.md.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(NoticeEvent), "notice")]
[JsonDerivedType(typeof(ErrorEvent), "error")]
[JsonDerivedType(typeof(AcceptedEvent), "accepted")]
[JsonDerivedType(typeof(ProgressEvent), "progress")]
[JsonDerivedType(typeof(PreviewEvent), "preview")]
[JsonDerivedType(typeof(ImageEvent), "image")]
[JsonDerivedType(typeof(ReceiptEvent), "receipt")]
[JsonDerivedType(typeof(CancelledEvent), "cancelled")]
[JsonDerivedType(typeof(ReadyEvent), "ready")]
[JsonDerivedType(typeof(StoppedEvent), "stopped")]
[JsonDerivedType(typeof(SamplerEvent), "sampler")]
[JsonDerivedType(typeof(TransferEvent), "transfer")]
[JsonDerivedType(typeof(VersionEvent), "version")]
[JsonDerivedType(typeof(FileEvent), "file")]
[JsonDerivedType(typeof(AliasEvent), "alias")]
[JsonDerivedType(typeof(DeletedEvent), "deleted")]
[JsonDerivedType(typeof(TensorDifferenceEvent), "tensorDifference")]
[JsonDerivedType(typeof(FileDifferenceEvent), "fileDifference")]
[JsonDerivedType(typeof(DifferenceEvent), "difference")]
[JsonDerivedType(typeof(BlobsVerifiedEvent), "blobsVerified")]
[JsonDerivedType(typeof(FileCheckEvent), "fileCheck")]
[JsonDerivedType(typeof(RepairedEvent), "repaired")]
[JsonDerivedType(typeof(SignatureEvent), "signature")]
[JsonDerivedType(typeof(SignatureCheckEvent), "signatureCheck")]
[JsonDerivedType(typeof(KeyEvent), "key")]
[JsonDerivedType(typeof(LiveEvent), "live")]
[JsonDerivedType(typeof(AuditEntryEvent), "auditEntry")]
[JsonDerivedType(typeof(AuditCheckEvent), "auditCheck")]
[JsonDerivedType(typeof(GarbageEvent), "garbage")]
[JsonDerivedType(typeof(UsageEvent), "usage")]
[JsonDerivedType(typeof(WrittenEvent), "written")]
[JsonDerivedType(typeof(RecipeEvent), "recipe")]
[JsonDerivedType(typeof(ReplayEvent), "replay")]
[JsonDerivedType(typeof(CheckEvent), "check")]
[JsonDerivedType(typeof(PlanEvent), "plan")]
[JsonDerivedType(typeof(RolloutEvent), "rollout")]
internal abstract record JsonEvent;

internal sealed record NoticeEvent(string Message) : JsonEvent;

internal sealed record ErrorEvent(int ExitCode, string Message, string? Remedy) : JsonEvent;

internal sealed record AcceptedEvent(
    string Id, string Model, string Version, int QueuePosition, int Steps, long Seed, bool Attached) : JsonEvent;

internal sealed record ProgressEvent(int Step, int Steps, long? EtaMs, long StepUs, int QueuePosition) : JsonEvent;

internal sealed record PreviewEvent(int Index, int Step, string Png) : JsonEvent;

internal sealed record ImageEvent(
    int Index, string Path, long Seed, int Width, int Height, long Bytes, string FileSha256, string PixelsSha256) : JsonEvent;

internal sealed record ReceiptEvent(string Id, JsonElement Recipe, StageTimings Timings, int PromptTokens, int NegativePromptTokens) : JsonEvent;

internal sealed record StageTimings(long TotalUs, long EncodeUs, long EncodeImageUs, long QueueUs, long DenoiseUs, long DecodeUs);

internal sealed record CancelledEvent(string Id, bool JobStopped, int Step, int Steps) : JsonEvent;

internal sealed record ReadyEvent(
    string Gateway, string Registry, string Encoder, string Denoiser, string Decoder, string Home) : JsonEvent;

internal sealed record StoppedEvent : JsonEvent;

internal sealed record SamplerEvent(
    string Name, string ClassName, int CallsPerStep, bool Stochastic, bool AcceptsSigmas, string Reference) : JsonEvent;

internal sealed record TransferEvent(string Stage, long BytesDone, long BytesTotal) : JsonEvent;

internal sealed record VersionEvent(
    string Model, string Digest, DateTimeOffset CreatedAt, long Bytes, IReadOnlyList<string> Aliases, string Description, ModelTraits Traits,
    ModelMetadata Metadata, string? Deprecated, long Revision, int Signatures) : JsonEvent;

internal sealed record ModelMetadata(
    string? License, string? BaseVersion, string? TrainingRun, string? ModelCard, IReadOnlyList<string> Labels, IReadOnlyDictionary<string, double> Metrics);

internal sealed record ModelTraits(
    string Family, string PredictionType, string Scheduler, int DefaultSize, int LatentChannels, int EmbeddingWidth, int TextEncoderLayers,
    long Parameters, string DType, string Kind, int? Rank);

internal sealed record FileEvent(string Path, long Bytes, string Sha256, int Parts) : JsonEvent;

internal sealed record AliasEvent(string Model, string Name, string? Version, bool? Protected) : JsonEvent;

internal sealed record DeletedEvent(string Model, string Version) : JsonEvent;

internal sealed record TensorDifferenceEvent(
    string Change, string Component, string Name, string? DTypeA, IReadOnlyList<long>? ShapeA, string? DTypeB, IReadOnlyList<long>? ShapeB,
    double? NormA, double? NormOfDifference, double? RelativeNorm, long? NotFinite) : JsonEvent;

internal sealed record FileDifferenceEvent(string Change, string Path, long? BytesA, long? BytesB) : JsonEvent;

internal sealed record DifferenceEvent(int EqualTensors, int DifferentTensors, int DifferentFiles, long SharedBytes, long BytesOnlyInA, long BytesOnlyInB)
    : JsonEvent;

internal sealed record BlobsVerifiedEvent(long Blobs, long Bytes, IReadOnlyList<string> Damaged, IReadOnlyList<string> Missing) : JsonEvent;

internal sealed record FileCheckEvent(string Path, string State, long DamagedBytes, IReadOnlyList<string> DamagedTensors) : JsonEvent;

internal sealed record RepairedEvent(int Repaired, long Bytes, int StillMissing) : JsonEvent;

internal sealed record SignatureEvent(string Version, string KeyHint, string? TrustedKey, DateTimeOffset AddedAt) : JsonEvent;

internal sealed record SignatureCheckEvent(bool Signed, string KeyHint, IReadOnlyList<string> Faults) : JsonEvent;

internal sealed record KeyEvent(string PrivateKey, string PublicKey, string KeyHint) : JsonEvent;

internal sealed record LiveEvent(string Model, string Alias, DateTimeOffset At, string Version, DateTimeOffset Since, string Actor) : JsonEvent;

internal sealed record AuditEntryEvent(
    long Sequence, DateTimeOffset At, string Actor, string Action, string Model, string Subject, IReadOnlyDictionary<string, string> Details, string Hash)
    : JsonEvent;

internal sealed record AuditCheckEvent(long Entries, string Head, IReadOnlyList<string> Faults) : JsonEvent;

internal sealed record GarbageEvent(bool DryRun, long Blobs, long BlobBytes, long Uploads, long UploadBytes, long KeptBlobs, long KeptBytes) : JsonEvent;

internal sealed record UsageEvent(string Namespace, long Bytes, long? QuotaBytes, int Versions) : JsonEvent;

internal sealed record WrittenEvent(string Path, long Bytes) : JsonEvent;

internal sealed record RecipeEvent(string Path, JsonElement Recipe, IReadOnlyDictionary<string, string> Records) : JsonEvent;

internal sealed record ReplayEvent(string Path, bool SameBytes, bool SamePixels, string Original, string Replayed, string? Saved) : JsonEvent;

internal sealed record CheckEvent(string Name, string Status, string Detail, string? Remedy) : JsonEvent;

internal sealed record PlanEvent(JsonElement Plan, IReadOnlyList<string> Faults) : JsonEvent;

internal sealed record RolloutEvent(JsonElement Rollout) : JsonEvent;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JsonEvent))]
internal sealed partial class JsonEvents : JsonSerializerContext;
