-- Blobs that a running push or pull needs, whatever versions say of them; see Blobs/README.md. digests: 32 bytes each.
CREATE TABLE blob_pins (
    id {identity},
    holder TEXT NOT NULL,
    digests {bytes} NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX blob_pins_by_holder ON blob_pins (holder);
