-- Portals: who may ask citizens for signatures. The name here is the one the citizen reads.
CREATE TABLE portal (
    id             TEXT    PRIMARY KEY,
    client_id      TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    may_documents  BOOLEAN NOT NULL,
    may_digests    BOOLEAN NOT NULL,
    may_sp769      BOOLEAN NOT NULL,
    public_key     BYTEA,
    webhook_url    TEXT,
    -- blobs sealed under the data key; the one before signs beside the new one until its time is over
    webhook_secret        TEXT,
    webhook_secret_before TEXT,
    webhook_before_until  BIGINT,
    -- where a citizen may be sent back to: hosts and app schemes, one space between
    return_to      TEXT    NOT NULL DEFAULT '',
    -- networks that may ask by a guessable id where a SmartCA transaction is, one space between
    status_from    TEXT    NOT NULL DEFAULT '',
    created_at     BIGINT  NOT NULL,
    disabled_at    BIGINT,
    CHECK ((webhook_url IS NULL) = (webhook_secret IS NULL)),
    CHECK ((webhook_secret_before IS NULL) = (webhook_before_until IS NULL))
);
CREATE UNIQUE INDEX portal_client_id_once ON portal (client_id);

-- Client secrets, as SHA-256 of 32 random bytes. Two may be valid while a portal rotates.
CREATE TABLE portal_secret (
    digest     BYTEA  PRIMARY KEY,
    portal_id  TEXT   NOT NULL REFERENCES portal (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX portal_secret_of_portal ON portal_secret (portal_id);
