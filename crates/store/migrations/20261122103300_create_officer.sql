-- Officers of the registration authority. The token is stored as its SHA-256; the officer's own identity number only as an
-- HMAC under the data key, enough to recognise their own dossier and that nobody is two officers. `public_key` is
-- what they sign decisions with. `seal` is the keystore's, over id, roles, identity and key: only a ceremony at the
-- operator's machine makes one, so a row written by anybody else decides nothing.
CREATE TABLE officer (
    id            TEXT   PRIMARY KEY,
    name          TEXT   NOT NULL,
    roles         TEXT   NOT NULL,
    identity_hash BYTEA  NOT NULL,
    public_key    BYTEA  NOT NULL,
    seal          BYTEA  NOT NULL,
    token_hash    BYTEA  NOT NULL,
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT
);
CREATE UNIQUE INDEX officer_token_once ON officer (token_hash);
CREATE UNIQUE INDEX officer_person_once ON officer (identity_hash) WHERE disabled_at IS NULL;
