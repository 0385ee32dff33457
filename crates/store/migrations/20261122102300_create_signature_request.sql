-- A signature request: what a portal (or the provider, for an acceptance) asks a citizen to sign, and what came of it.
CREATE TABLE signature_request (
    id                  TEXT    PRIMARY KEY,
    kind                TEXT    NOT NULL CHECK (kind IN ('portal', 'acceptance', 'sp769')),
    state               TEXT    NOT NULL CHECK (state IN ('pending', 'approved', 'signed', 'delivered', 'refused', 'withdrawn', 'expired', 'failed')),
    portal_id           TEXT    REFERENCES portal (id),
    credential_id       TEXT    NOT NULL REFERENCES credential (id),
    description         TEXT,
    return_url          TEXT,
    code                TEXT    NOT NULL,
    nonce               TEXT    NOT NULL,
    signature_algorithm TEXT    NOT NULL,
    serial              TEXT    NOT NULL,
    document_count      BIGINT  NOT NULL CHECK (document_count > 0),
    units               BIGINT  NOT NULL CHECK (units >= 0),
    idempotency_key     TEXT,
    idempotency_digest  BYTEA,
    transaction_id      TEXT,
    tran_code           TEXT,
    transaction_live    BOOLEAN NOT NULL DEFAULT FALSE,
    -- the network that asked for the transaction: an id that can be guessed is answered to it alone
    asked_from          TEXT,
    -- its portal shows it on a screen: it is approved only by a phone that proved, by this channel, that it was in front of it
    on_screen           BOOLEAN NOT NULL DEFAULT FALSE,
    channel             TEXT    CHECK (channel IN ('same-device', 'qr', 'push')),
    digits_tried        BIGINT  NOT NULL DEFAULT 0 CHECK (digits_tried BETWEEN 0 AND 3),
    tries_left          BIGINT,
    statement           BYTEA,
    device_signature    BYTEA,
    sealed_pin          BYTEA,
    refusal             TEXT,
    failure             TEXT,
    created_at          BIGINT  NOT NULL,
    expires_at          BIGINT  NOT NULL,
    approved_at         BIGINT,
    signed_at           BIGINT,
    delivered_at        BIGINT,
    ended_at            BIGINT,
    CHECK ((kind = 'acceptance') = (portal_id IS NULL)),
    CHECK ((kind = 'sp769') = (transaction_id IS NOT NULL)),
    CHECK ((kind = 'sp769') = (tran_code IS NOT NULL)),
    CHECK ((idempotency_key IS NULL) = (idempotency_digest IS NULL)),
    CHECK (state NOT IN ('approved', 'signed', 'delivered') OR (statement IS NOT NULL AND device_signature IS NOT NULL AND approved_at IS NOT NULL)),
    CHECK (on_screen OR (channel IS NULL AND digits_tried = 0)),
    CHECK (NOT on_screen OR channel IS NOT NULL OR state NOT IN ('approved', 'signed', 'delivered')),
    -- a sealed PIN is kept only while it is needed
    CHECK ((state = 'approved') = (sealed_pin IS NOT NULL)),
    CHECK (state <> 'pending' OR statement IS NULL),
    CHECK ((state IN ('signed', 'delivered')) = (signed_at IS NOT NULL)),
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL)),
    CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CHECK ((state = 'failed') = (failure IS NOT NULL)),
    CHECK ((state IN ('pending', 'approved')) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX signature_request_idempotency ON signature_request (portal_id, idempotency_key);
-- sp769: a portal uses an id once; while live, an id is of one portal only, because the status call names no portal
CREATE UNIQUE INDEX signature_request_transaction ON signature_request (portal_id, transaction_id);
CREATE UNIQUE INDEX signature_request_live_transaction ON signature_request (transaction_id) WHERE transaction_live;
CREATE UNIQUE INDEX signature_request_tran_code ON signature_request (tran_code);
-- one acceptance on its way or done per credential
CREATE UNIQUE INDEX signature_request_one_acceptance ON signature_request (credential_id) WHERE kind = 'acceptance' AND state IN ('pending', 'approved', 'signed', 'delivered');
CREATE INDEX signature_request_of_credential ON signature_request (credential_id, id);
-- what waits for its citizen or for the worker: the home screen, looked at every few seconds
CREATE INDEX signature_request_waiting ON signature_request (credential_id) WHERE ended_at IS NULL;
CREATE INDEX signature_request_ending ON signature_request (expires_at) WHERE state = 'pending';
CREATE INDEX signature_request_transaction_ending ON signature_request (ended_at) WHERE transaction_live;

-- Every digest to be signed has its own row, and is consumed once.
CREATE TABLE signature_document (
    request_id       TEXT    NOT NULL REFERENCES signature_request (id),
    position         BIGINT  NOT NULL CHECK (position >= 0),
    state            TEXT    NOT NULL CHECK (state IN ('prepared', 'reserved', 'consumed')),
    name             TEXT    NOT NULL,
    format           TEXT    NOT NULL CHECK (format IN ('pdf', 'digest')),
    doc_id           TEXT,
    file_type        TEXT,
    byte_count       BIGINT  NOT NULL,
    page_count       BIGINT,
    original_blob    TEXT,
    prepared_blob    TEXT,
    prepared_at      BIGINT,
    mark_place       TEXT,
    -- version of the code that laid the PDF out
    layout           BIGINT,
    digest_algorithm TEXT    NOT NULL,
    document_digest  BYTEA   NOT NULL,
    to_be_signed     BYTEA   NOT NULL,
    signature        BYTEA,
    PRIMARY KEY (request_id, position),
    CHECK ((format = 'pdf') = (original_blob IS NOT NULL)),
    CHECK ((format = 'pdf') = (prepared_blob IS NOT NULL)),
    -- with the original, what the worker needs to make the prepared part again
    CHECK ((format = 'pdf') = (prepared_at IS NOT NULL)),
    CHECK ((format = 'pdf') = (layout IS NOT NULL)),
    CHECK (mark_place IS NULL OR format = 'pdf'),
    CHECK ((state = 'consumed') = (signature IS NOT NULL))
);
