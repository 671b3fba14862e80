using Fleet.Contracts.Registry;
using Fleet.Hosting;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Signatures;

/// <summary>Whether versions need a signature of a trusted key before they are published, become stable or take part in a rollout.</summary>
internal sealed class SignaturePolicy(IOptions<SignatureOptions> options, SignatureStore store, SignatureChecks checks)
{
    /// <summary>Throws <see cref="PreconditionException"/> when signatures are required and the version has none of a trusted key.</summary>
    public Task RequireAsync(Digest version, CancellationToken cancellation) => RequireAsync(version, [], cancellation);

    /// <summary>The same for a version that is about to get these signatures.</summary>
    public async Task RequireAsync(Digest version, IReadOnlyList<CheckedSignature> given, CancellationToken cancellation)
    {
        if (options.Value.Required
            && !given.Any(IsTrusted)
            && !(await store.ListAsync(version, cancellation)).Any(IsTrusted))
        {
            throw new PreconditionException(
                $"version {version.Version} has no signature of a trusted key ({string.Join(", ", checks.TrustedNames)}), and this registry requires one");
        }
    }

    private static bool IsTrusted(CheckedSignature signature) => signature.TrustedKey != "";
}
