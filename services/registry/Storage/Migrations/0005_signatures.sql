-- Sigstore bundles (JSON) of versions, and which were stored already.
CREATE TABLE signatures (
    id {identity},
    digest TEXT NOT NULL REFERENCES manifests (digest) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    bundle {bytes} NOT NULL,
    added_at BIGINT NOT NULL,
    UNIQUE (digest, sha256)
);
