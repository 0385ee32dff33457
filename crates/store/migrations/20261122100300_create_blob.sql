-- Bytes under the SHA-256 they have: documents, evidence (sealed), certificates, CRLs.
CREATE TABLE blob (
    id         TEXT   NOT NULL PRIMARY KEY,
    bytes      BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT blob_id CHECK (length(id) = 64)
);
