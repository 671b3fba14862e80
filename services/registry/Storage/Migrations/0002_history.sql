-- What is said about a version, and what ListVersions filters by. namespace, family, dtype, kind and search follow from
-- the other columns: see Catalog/VersionRow.cs.
ALTER TABLE versions ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN family TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN dtype TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN search TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN license TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN base_version TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN training_run TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN model_card TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';
ALTER TABLE versions ADD COLUMN metrics TEXT NOT NULL DEFAULT '{}';
ALTER TABLE versions ADD COLUMN deprecated TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
CREATE INDEX versions_by_namespace ON versions (namespace);
CREATE INDEX versions_by_base ON versions (base_version);

ALTER TABLE aliases ADD COLUMN protected BIGINT NOT NULL DEFAULT 0;

-- The distinct blobs of each manifest.
CREATE TABLE manifest_blobs (
    manifest TEXT NOT NULL REFERENCES manifests (digest),
    blob TEXT NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (manifest, blob)
);
CREATE INDEX manifest_blobs_by_blob ON manifest_blobs (blob);

CREATE TABLE quotas (
    namespace TEXT PRIMARY KEY,
    bytes BIGINT NOT NULL
);

-- See audit.proto; details is a JSON object of strings.
CREATE TABLE audit_log (
    sequence BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    model TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    previous_hash {bytes} NOT NULL,
    hash {bytes} NOT NULL
);
CREATE INDEX audit_log_by_time ON audit_log (at);
CREATE INDEX audit_log_by_subject ON audit_log (model, subject);

-- One row: the end of the log, kept twice so that a log whose end was cut off is found out.
CREATE TABLE audit_head (
    sequence BIGINT NOT NULL,
    hash {bytes} NOT NULL
);
