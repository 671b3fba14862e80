using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Access;

/// <summary>
/// What each method asks of its caller: a role and, of callers who are limited to namespaces, that the model of the request is in one of them. A
/// method that is not here is refused.
/// </summary>
internal sealed record MethodAccess(Role Role, Action<Actor, object?> RequireScope)
{
    private const string Registry = "/fleet.registry.v1.Registry/";
    private const string Audit = "/fleet.registry.v1.Audit/";
    private const string Rollouts = "/fleet.registry.v1.Rollouts/";
    private const string Traffic = "/fleet.registry.v1.Traffic/";

    public static readonly IReadOnlyDictionary<string, MethodAccess> Methods = new Dictionary<string, MethodAccess>(StringComparer.Ordinal)
    {
        [Registry + "FindMissingBlobs"] = Anywhere(Role.Publisher),
        [Registry + "UploadBlobs"] = Anywhere(Role.Publisher),
        [Registry + "GetUploadOffset"] = Anywhere(Role.Publisher),
        [Registry + "Publish"] = OfModel<PublishRequest>(Role.Publisher, request => request.Model),
        [Registry + "Resolve"] = Anywhere(Role.Reader),
        [Registry + "GetManifest"] = Anywhere(Role.Reader),
        [Registry + "DownloadBlob"] = Anywhere(Role.Reader),
        [Registry + "ListVersions"] = Anywhere(Role.Reader),
        [Registry + "SetAlias"] = OfModel<SetAliasRequest>(Role.Publisher, request => request.Model),
        [Registry + "DeleteAlias"] = OfModel<DeleteAliasRequest>(Role.Publisher, request => request.Model),
        [Registry + "ListAliases"] = Anywhere(Role.Reader),
        [Registry + "ProtectAlias"] = OfModel<ProtectAliasRequest>(Role.Operator, request => request.Model),
        [Registry + "UpdateMetadata"] = OfModel<UpdateMetadataRequest>(Role.Publisher, request => request.Model),
        [Registry + "DeprecateVersion"] = OfModel<DeprecateVersionRequest>(Role.Publisher, request => request.Model),
        [Registry + "DeleteVersion"] = OfModel<DeleteVersionRequest>(Role.Operator, request => request.Model),
        [Registry + "CollectGarbage"] = WholeRegistry(Role.Operator),
        [Registry + "VerifyBlobs"] = WholeRegistry(Role.Operator),
        [Registry + "AddSignature"] = Anywhere(Role.Publisher), // a version may belong to models of several namespaces
        [Registry + "ListSignatures"] = Anywhere(Role.Reader),
        [Registry + "SetQuota"] = WholeRegistry(Role.Operator),
        [Registry + "ListUsage"] = Anywhere(Role.Reader),

        [Audit + "ListEntries"] = Anywhere(Role.Reader),
        [Audit + "GetAliasAt"] = Anywhere(Role.Reader),
        [Audit + "VerifyLog"] = Anywhere(Role.Reader),

        [Rollouts + "CheckPlan"] = Anywhere(Role.Reader),
        [Rollouts + "StartRollout"] = OfModel<StartRolloutRequest>(Role.Operator, request => request.Model),
        [Rollouts + "GetRollout"] = Anywhere(Role.Reader),
        [Rollouts + "ListRollouts"] = Anywhere(Role.Reader),
        [Rollouts + "WatchRollout"] = Anywhere(Role.Reader),
        [Rollouts + "ControlRollout"] = Anywhere(Role.Operator), // whose model the rollout is of, the service knows
        [Rollouts + "ListSamples"] = Anywhere(Role.Reader),

        [Traffic + "WatchTraffic"] = Anywhere(Role.Reader),
        [Traffic + "ReportOutcomes"] = Anywhere(Role.Reader),
        [Traffic + "WatchWarmups"] = Anywhere(Role.Reader),
        [Traffic + "ReportReadiness"] = Anywhere(Role.Reader),
    };

    /// <summary>Services that everybody may call: probes and tools that look at what there is.</summary>
    public static readonly string[] OpenServices = ["/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/", "/grpc.reflection.v1.ServerReflection/"];

    private static MethodAccess Anywhere(Role role) => new(role, (_, _) => { });

    private static MethodAccess WholeRegistry(Role role) => new(role, (actor, _) => actor.RequireWholeRegistry());

    private static MethodAccess OfModel<T>(Role role, Func<T, string> model) => new(role, (actor, request) => actor.RequireModel(model((T)request!)));
}
