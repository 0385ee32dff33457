-- Activation codes. What is compared is an HMAC under a salt that is itself sealed with the data key: who has only the
-- database cannot try the million codes. The code itself is sealed in a blob until it is sent, then wiped.
CREATE TABLE activation_code (
    id               TEXT   PRIMARY KEY,
    enrolment_id     TEXT   NOT NULL REFERENCES enrolment (id),
    channel          TEXT   NOT NULL CHECK (channel IN ('sms', 'email')),
    destination      TEXT   NOT NULL,
    state            TEXT   NOT NULL CHECK (state IN ('live', 'used', 'void', 'spent')),
    salt_blob        TEXT,
    code_blob        TEXT,
    verifier         BYTEA,
    tries            BIGINT NOT NULL DEFAULT 0,
    tries_max        BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    resend_at        BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    sent_at          BIGINT,
    ended_at         BIGINT,
    CHECK (tries BETWEEN 0 AND tries_max),
    CHECK ((state = 'live') = (ended_at IS NULL)),
    CHECK ((state = 'live') = (verifier IS NOT NULL)),
    CHECK ((state = 'live') = (salt_blob IS NOT NULL)),
    -- no plain text after sending, nor after the end
    CHECK (code_blob IS NULL OR (state = 'live' AND sent_at IS NULL))
);
CREATE UNIQUE INDEX activation_code_one_live ON activation_code (enrolment_id) WHERE state = 'live';
CREATE INDEX activation_code_ending ON activation_code (expires_at) WHERE state = 'live';

-- How often something was done within the minute, hour or day that began at `since`: codes sent per enrolment, per destination
-- and in all (SMS pumping), wrong tries per enrolment. The subject is a digest: the table is no list of telephone numbers.
CREATE TABLE allowance (
    subject TEXT   PRIMARY KEY,
    since   BIGINT NOT NULL,
    used    BIGINT NOT NULL CHECK (used > 0)
);
CREATE INDEX allowance_since ON allowance (since);

-- Codes by which somebody asks to go on with an enrolment from another phone. A row stands for every number that was typed,
-- whether or not it has an enrolment, and is deleted when the code is used, tried too often or over.
CREATE TABLE resumption (
    id         TEXT   PRIMARY KEY,
    phone      TEXT   NOT NULL,
    salt_blob  TEXT   NOT NULL,
    code_blob  TEXT,
    verifier   BYTEA  NOT NULL,
    tries      BIGINT NOT NULL DEFAULT 0,
    tries_max  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- when it was counted among what the provider sends: once, however often the gateway is tried
    charged_at BIGINT,
    CHECK (tries BETWEEN 0 AND tries_max)
);
CREATE INDEX resumption_ending ON resumption (expires_at);
