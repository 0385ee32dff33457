-- An enrolment: every step the citizen has taken is a fact of this row, so that the phone can be closed at any point.
CREATE TABLE enrolment (
    id                TEXT    PRIMARY KEY,
    reference         TEXT    NOT NULL,
    session_hash      BYTEA   NOT NULL,
    state             TEXT    NOT NULL CHECK (state IN ('started', 'submitted', 'supplement', 'vetted', 'approved', 'certified', 'accepting', 'complete', 'closed', 'rejected', 'abandoned', 'expired', 'failed')),
    language          TEXT    NOT NULL CHECK (language IN ('vi', 'en')),
    entered_by        TEXT    REFERENCES officer (id),
    plan_code         TEXT    NOT NULL REFERENCES plan (code),
    campaign_code     TEXT    REFERENCES campaign (code),
    price_vnd         BIGINT  NOT NULL CHECK (price_vnd >= 0),
    created_at        BIGINT  NOT NULL,
    touched_at        BIGINT  NOT NULL,
    -- contact
    phone             TEXT,
    email             TEXT,
    -- owner
    owner_at          BIGINT,
    full_name         TEXT,
    identity_number   TEXT,
    issue_date        TEXT,
    issue_place       TEXT,
    card_expires_on   TEXT,
    birth_date        TEXT,
    sex               TEXT    CHECK (sex IN ('male', 'female')),
    nationality       TEXT,
    province_code     TEXT,
    province_name     TEXT,
    commune_code      TEXT,
    commune_name      TEXT,
    address_detail    TEXT,
    owner_source      TEXT    CHECK (owner_source IN ('typed', 'qr', 'qr-edited')),
    -- payment, activation
    paid_at           BIGINT,
    has_place         BOOLEAN NOT NULL DEFAULT FALSE,
    activated_at      BIGINT,
    activated_channel TEXT    CHECK (activated_channel IN ('sms', 'email')),
    -- vetting
    submitted_at      BIGINT,
    round             BIGINT  NOT NULL DEFAULT 0,
    risk              BIGINT  NOT NULL DEFAULT 0,
    flags             TEXT    NOT NULL DEFAULT '',
    officers_required BIGINT  NOT NULL DEFAULT 1 CHECK (officers_required IN (1, 2)),
    locked_by         TEXT    REFERENCES officer (id),
    locked_until      BIGINT,
    supplement_until  BIGINT,
    vetted_at         BIGINT,
    approved_at       BIGINT,
    -- the keystore's seal on what officers signed and the credential it became; made when the credential is opened
    approval_seal     BYTEA,
    -- credential
    citizen_id        TEXT    REFERENCES citizen (id),
    credential_id     TEXT,
    certified_at      BIGINT,
    device_code_at    BIGINT,
    -- from another phone, after it was handed in
    resumed_at        BIGINT,
    binding_id        TEXT,
    bound_at          BIGINT,
    acceptance_id     TEXT,
    completed_at      BIGINT,
    ended_at          BIGINT,
    end_code          TEXT,
    CHECK ((owner_at IS NULL) = (identity_number IS NULL)),
    CHECK ((owner_at IS NULL) = (full_name IS NULL)),
    CHECK ((owner_at IS NULL) = (issue_date IS NULL)),
    CHECK ((owner_at IS NULL) = (birth_date IS NULL)),
    CHECK ((owner_at IS NULL) = (sex IS NULL)),
    CHECK ((owner_at IS NULL) = (province_name IS NULL)),
    CHECK ((owner_at IS NULL) = (commune_name IS NULL)),
    CHECK ((owner_at IS NULL) = (address_detail IS NULL)),
    CHECK (owner_at IS NULL OR phone IS NOT NULL),
    CHECK ((activated_at IS NULL) = (activated_channel IS NULL)),
    CHECK (activated_at IS NULL OR phone IS NOT NULL),
    CHECK (NOT has_place OR (paid_at IS NOT NULL AND campaign_code IS NOT NULL)),
    -- before it is handed in, a place is held only for a telephone number that was proved
    CHECK (NOT has_place OR state <> 'started' OR COALESCE(activated_channel, '') = 'sms'),
    CHECK ((locked_by IS NULL) = (locked_until IS NULL)),
    CHECK (locked_by IS NULL OR state IN ('submitted', 'vetted')),
    CHECK ((state = 'supplement') = (supplement_until IS NOT NULL)),
    -- nobody is vetted who has not handed everything in
    CHECK (state IN ('started', 'abandoned', 'expired') OR (submitted_at IS NOT NULL AND owner_at IS NOT NULL AND paid_at IS NOT NULL)),
    CHECK (state NOT IN ('submitted', 'vetted', 'approved', 'certified', 'accepting', 'complete', 'closed') OR activated_at IS NOT NULL),
    CHECK (state <> 'vetted' OR (vetted_at IS NOT NULL AND officers_required = 2)),
    CHECK ((state IN ('approved', 'certified', 'accepting', 'complete', 'closed', 'failed')) = (approved_at IS NOT NULL)),
    CHECK (approved_at IS NULL OR citizen_id IS NOT NULL),
    CHECK (approved_at IS NULL OR officers_required = 1 OR vetted_at IS NOT NULL),
    CHECK (state NOT IN ('certified', 'accepting', 'complete', 'closed') OR (credential_id IS NOT NULL AND certified_at IS NOT NULL)),
    CHECK (state NOT IN ('accepting', 'complete', 'closed') OR bound_at IS NOT NULL),
    CHECK ((state IN ('complete', 'closed')) = (completed_at IS NOT NULL)),
    CHECK ((state IN ('closed', 'rejected', 'abandoned', 'expired', 'failed')) = (ended_at IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (end_code IS NULL)),
    CHECK (ended_at IS NULL OR state = 'closed' OR NOT has_place)
);
CREATE UNIQUE INDEX enrolment_reference_once ON enrolment (reference);
CREATE UNIQUE INDEX enrolment_session_once ON enrolment (session_hash);
-- one person, one enrolment handed in or complete; what was only begun holds nobody
CREATE UNIQUE INDEX enrolment_one_person ON enrolment (identity_number) WHERE state NOT IN ('started', 'closed', 'rejected', 'abandoned', 'expired', 'failed');
CREATE UNIQUE INDEX enrolment_credential_once ON enrolment (credential_id);
CREATE UNIQUE INDEX enrolment_acceptance_once ON enrolment (acceptance_id);
CREATE INDEX enrolment_queue ON enrolment (submitted_at) WHERE state IN ('submitted', 'vetted');
CREATE INDEX enrolment_of_phone ON enrolment (phone);
CREATE INDEX enrolment_waiting ON enrolment (state, touched_at) WHERE state IN ('started', 'supplement', 'approved', 'certified', 'accepting');
