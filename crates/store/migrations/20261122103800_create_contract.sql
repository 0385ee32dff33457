-- Contracts: what was written, from which data, what the citizen agreed to, and the provider's seal on it.
-- `made_from` is the digest of the fields the paper was filled with: other fields, other contract.
CREATE TABLE contract (
    id             TEXT   PRIMARY KEY,
    enrolment_id   TEXT   NOT NULL REFERENCES enrolment (id),
    number         TEXT   NOT NULL,
    made_from      BYTEA  NOT NULL,
    blob_id        TEXT   NOT NULL,
    sha256         BYTEA  NOT NULL,
    mark           TEXT,
    created_at     BIGINT NOT NULL,
    agreement      TEXT,
    agreed_channel TEXT,
    agreed_at      BIGINT,
    sealed_blob_id TEXT,
    sealed_sha256  BYTEA,
    sealed_at      BIGINT,
    void_at        BIGINT,
    CHECK ((agreed_at IS NULL) = (agreement IS NULL)),
    CHECK ((agreed_at IS NULL) = (agreed_channel IS NULL)),
    CHECK (sealed_at IS NULL OR agreed_at IS NOT NULL),
    CHECK ((sealed_at IS NULL) = (sealed_blob_id IS NULL)),
    CHECK ((sealed_at IS NULL) = (sealed_sha256 IS NULL))
);
CREATE UNIQUE INDEX contract_number_once ON contract (number);
CREATE UNIQUE INDEX contract_one_in_force ON contract (enrolment_id) WHERE void_at IS NULL;
CREATE INDEX contract_to_seal ON contract (agreed_at) WHERE agreed_at IS NOT NULL AND sealed_at IS NULL;
