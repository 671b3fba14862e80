CREATE TABLE manifests (
    digest TEXT PRIMARY KEY,
    content {bytes} NOT NULL
);

CREATE TABLE versions (
    id {identity},
    model TEXT NOT NULL,
    digest TEXT NOT NULL REFERENCES manifests (digest),
    created_at BIGINT NOT NULL,
    size BIGINT NOT NULL,
    traits {bytes} NOT NULL,
    description TEXT NOT NULL,
    UNIQUE (model, digest)
);
CREATE INDEX versions_by_digest ON versions (digest);

CREATE TABLE aliases (
    model TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (model, name),
    FOREIGN KEY (model, digest) REFERENCES versions (model, digest)
);
