-- What a phone sent to bind itself or to change its PIN: an intention, executed by the worker, which alone holds keys.
-- `consent` is the signature of the device in force, for a change.
-- The sealed PINs are erased as soon as the binding has ended.
CREATE TABLE binding (
    id            TEXT   PRIMARY KEY,
    credential_id TEXT   NOT NULL REFERENCES credential (id),
    purpose       TEXT   NOT NULL CHECK (purpose IN ('first', 'device-change', 'pin-change')),
    state         TEXT   NOT NULL CHECK (state IN ('pending', 'bound', 'refused')),
    nonce         TEXT   NOT NULL,
    statement     BYTEA  NOT NULL,
    device_id     TEXT   NOT NULL,
    device_key    BYTEA  NOT NULL,
    device_digest BYTEA  NOT NULL,
    signature     BYTEA  NOT NULL,
    consent       BYTEA,
    sealed_pin    BYTEA,
    current_pin   BYTEA,
    refusal       TEXT,
    tries_left    BIGINT,
    created_at    BIGINT NOT NULL,
    ended_at      BIGINT,
    CHECK ((state = 'pending') = (sealed_pin IS NOT NULL)),
    CHECK (current_pin IS NULL OR state = 'pending'),
    CHECK ((purpose = 'first') = (consent IS NULL)),
    CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CHECK ((state = 'pending') = (ended_at IS NULL))
);
-- one at a time per credential; a nonce is used once
CREATE UNIQUE INDEX binding_one_pending ON binding (credential_id) WHERE state = 'pending';
CREATE UNIQUE INDEX binding_nonce_once ON binding (nonce);

-- Devices bound to a credential: the only keys whose approvals count.
CREATE TABLE device (
    id            TEXT   PRIMARY KEY,
    credential_id TEXT   NOT NULL REFERENCES credential (id),
    citizen       TEXT   NOT NULL,
    device_key    BYTEA  NOT NULL,
    device_digest BYTEA  NOT NULL,
    bound_at      BIGINT NOT NULL,
    removed_at    BIGINT
);
-- one device, one account; one account, one device
CREATE UNIQUE INDEX device_one_account ON device (device_digest) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX device_one_bound ON device (credential_id) WHERE removed_at IS NULL;

-- Nonces given to phones, used once.
CREATE TABLE device_challenge (
    nonce      TEXT   PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX device_challenge_ending ON device_challenge (expires_at);

-- Sessions of phones; the token is stored as its SHA-256. A family is what one opening became by rotation: it ends at
-- ends_at, and at once when a token is used again that was rotated away.
CREATE TABLE device_session (
    token_digest BYTEA  PRIMARY KEY,
    device_id    TEXT   NOT NULL REFERENCES device (id),
    family       BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    rotated_at   BIGINT,
    ends_at      BIGINT NOT NULL,
    CHECK (expires_at <= ends_at)
);
CREATE INDEX device_session_of_family ON device_session (family);
CREATE INDEX device_session_ending ON device_session (expires_at);
CREATE INDEX device_session_of_device ON device_session (device_id);
