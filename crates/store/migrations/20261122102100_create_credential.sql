-- A citizen's credential: the wrapped key, its certificate, and whether it may be used.
-- `key_row` is authenticated by the keystore; `key_version` repeats the version inside it for guarded writes.
-- `attempt` names the one approval whose PIN is being compared: while it is set, no other may raise the failure count.
CREATE TABLE credential (
    id               TEXT   PRIMARY KEY,
    enrolment        TEXT   NOT NULL,
    citizen          TEXT   NOT NULL,
    identity_number  TEXT   NOT NULL,
    state            TEXT   NOT NULL CHECK (state IN ('opening', 'active', 'suspended', 'revoked', 'expired', 'failed')),
    algorithm        TEXT   NOT NULL,
    plan_end_at      BIGINT NOT NULL,
    units_left       BIGINT CHECK (units_left >= 0),
    key_row          BYTEA,
    key_version      BIGINT,
    certificate      BYTEA,
    certificate_id   TEXT,
    serial           TEXT,
    chain_blob       TEXT,
    not_before_at    BIGINT,
    not_after_at     BIGINT,
    attempt          TEXT,
    pin_locked_at    BIGINT,
    created_at       BIGINT NOT NULL,
    issued_at        BIGINT,
    bound_at         BIGINT,
    activated_at     BIGINT,
    suspended_at     BIGINT,
    ended_at         BIGINT,
    reason           TEXT,
    CHECK ((key_row IS NULL) = (key_version IS NULL)),
    CHECK ((issued_at IS NULL) = (certificate IS NULL)),
    CHECK ((issued_at IS NULL) = (certificate_id IS NULL)),
    CHECK ((issued_at IS NULL) = (serial IS NULL)),
    CHECK ((issued_at IS NULL) = (chain_blob IS NULL)),
    CHECK ((issued_at IS NULL) = (not_before_at IS NULL)),
    CHECK ((issued_at IS NULL) = (not_after_at IS NULL)),
    CHECK (bound_at IS NULL OR issued_at IS NOT NULL),
    CHECK (activated_at IS NULL OR bound_at IS NOT NULL),
    CHECK (state NOT IN ('active', 'suspended') OR (activated_at IS NOT NULL AND key_row IS NOT NULL)),
    CHECK (state <> 'opening' OR activated_at IS NULL),
    CHECK ((state = 'suspended') = (suspended_at IS NOT NULL)),
    CHECK ((state IN ('revoked', 'expired', 'failed')) = (ended_at IS NOT NULL)),
    -- for good means for good: the key material is gone
    CHECK (state NOT IN ('revoked', 'failed') OR key_row IS NULL)
);
-- opening is idempotent per enrolment
CREATE UNIQUE INDEX credential_enrolment_once ON credential (enrolment);
-- one person, one live credential
CREATE UNIQUE INDEX credential_one_live ON credential (citizen) WHERE state IN ('opening', 'active', 'suspended');
CREATE UNIQUE INDEX credential_serial_once ON credential (serial);
CREATE INDEX credential_of_signer ON credential (identity_number) WHERE state IN ('opening', 'active', 'suspended');
CREATE INDEX credential_ending ON credential (not_after_at) WHERE state IN ('active', 'suspended');

-- Portals named free by the citizen's campaign: signatures asked by these cost no unit.
CREATE TABLE credential_free_portal (
    credential_id TEXT NOT NULL REFERENCES credential (id),
    portal_id     TEXT NOT NULL,
    PRIMARY KEY (credential_id, portal_id)
);

-- Sealed RSA pairs made ahead of need, by the backend that makes new keys. A row is first promised to a credential, then deleted when its key is in that credential.
CREATE TABLE pooled_key (
    id            TEXT   PRIMARY KEY,
    backend       TEXT   NOT NULL,
    algorithm     TEXT   NOT NULL,
    sealed        BYTEA  NOT NULL,
    credential_id TEXT,
    created_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX pooled_key_one_promise ON pooled_key (credential_id);
CREATE INDEX pooled_key_free ON pooled_key (backend, algorithm, id) WHERE credential_id IS NULL;
