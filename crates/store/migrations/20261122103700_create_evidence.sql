-- Photos of the evidence. The bytes are sealed blobs, gone when the photo was taken again or its enrolment ended without a
-- credential; the digest, of the bytes as sent, stays.
CREATE TABLE evidence (
    id            TEXT   PRIMARY KEY,
    enrolment_id  TEXT   NOT NULL REFERENCES enrolment (id),
    kind          TEXT   NOT NULL CHECK (kind IN ('front', 'back', 'face')),
    version       BIGINT NOT NULL CHECK (version > 0),
    blob_id       TEXT,
    sha256        BYTEA  NOT NULL,
    media_type    TEXT   NOT NULL CHECK (media_type IN ('image/jpeg', 'image/png')),
    width         BIGINT NOT NULL,
    height        BIGINT NOT NULL,
    byte_count    BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    superseded_at BIGINT,
    CHECK (superseded_at IS NULL OR blob_id IS NULL)
);
CREATE UNIQUE INDEX evidence_version_once ON evidence (enrolment_id, kind, version);
CREATE UNIQUE INDEX evidence_one_in_force ON evidence (enrolment_id, kind) WHERE superseded_at IS NULL;
