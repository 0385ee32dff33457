-- Officers of the registration authority. The token is stored as its SHA-256; the officer's own identity number only as
-- a salted hash, enough to recognise their own dossier.
CREATE TABLE officer (
    id            TEXT   PRIMARY KEY,
    name          TEXT   NOT NULL,
    roles         TEXT   NOT NULL,
    identity_salt BYTEA  NOT NULL,
    identity_hash BYTEA  NOT NULL,
    token_hash    BYTEA  NOT NULL,
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT
);
CREATE UNIQUE INDEX officer_token_once ON officer (token_hash);
