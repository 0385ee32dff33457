-- Every certificate we ever decided to sign. A row exists, with its serial and the exact bytes to be signed (`tbs`),
-- before a key is asked to sign: a signature can be lost in a crash, a certificate without a row cannot exist.
-- The expiry of a certificate is a fact of the clock, not a state: `not_after` says it.
CREATE TABLE certificate (
    id                  TEXT   PRIMARY KEY,
    issuer_id           TEXT   NOT NULL,
    serial              BYTEA  NOT NULL,
    kind                TEXT   NOT NULL CONSTRAINT certificate_kind CHECK (kind IN ('root', 'issuing', 'ocsp', 'timestamp', 'seal', 'citizen', 'outside')),
    for_what            TEXT   NOT NULL,
    public_key_sha256   TEXT   NOT NULL,
    signature_algorithm TEXT   NOT NULL,
    not_before          BIGINT NOT NULL,
    not_after           BIGINT NOT NULL CONSTRAINT certificate_validity CHECK (not_after > not_before),
    state               TEXT   NOT NULL CONSTRAINT certificate_state CHECK (state IN ('reserved', 'issued', 'suspended', 'revoked')),
    tbs                 BYTEA,
    -- the keystore's, on a reservation: whoever writes rows cannot have bytes of their own signed
    seal                BYTEA,
    der                 BYTEA,
    reserved_at         BIGINT NOT NULL,
    issued_at           BIGINT,
    suspended_at        BIGINT,
    revoked_at          BIGINT,
    reason              TEXT,
    CONSTRAINT certificate_stage CHECK ((state = 'reserved') = (der IS NULL) AND (state = 'reserved') = (tbs IS NOT NULL)
        AND (state = 'reserved') = (seal IS NOT NULL) AND (state = 'reserved') = (issued_at IS NULL)),
    CONSTRAINT certificate_suspended CHECK ((state <> 'suspended' OR suspended_at IS NOT NULL)
        AND (state IN ('suspended', 'revoked') OR suspended_at IS NULL)),
    CONSTRAINT certificate_revoked CHECK ((state = 'revoked') = (revoked_at IS NOT NULL)),
    CONSTRAINT certificate_reason CHECK ((state IN ('suspended', 'revoked')) = (reason IS NOT NULL))
);

-- Known-issued only: a serial names one certificate of one issuer, for ever.
CREATE UNIQUE INDEX certificate_one_serial ON certificate (issuer_id, serial);
-- Never two certificates for one credential or one service.
CREATE UNIQUE INDEX certificate_one_purpose ON certificate (kind, for_what);

-- One citizen's key is certified once: a key that comes a second time is a copied row or a broken generator.
CREATE UNIQUE INDEX certificate_one_citizen_key ON certificate (public_key_sha256) WHERE kind = 'citizen';

-- What a CRL lists, and what a crash left behind.
CREATE INDEX certificate_not_good ON certificate (issuer_id, not_after) WHERE state IN ('suspended', 'revoked');
CREATE INDEX certificate_unsigned ON certificate (reserved_at) WHERE state = 'reserved';
-- The newest instant we certified anything at: time in certificates does not run backwards.
CREATE INDEX certificate_newest ON certificate (reserved_at);
