-- The institution's own keys: one row for each key the keystore holds for us under `label`.
-- The private half never comes here; `public_key` is the SubjectPublicKeyInfo the certificate was made for.
-- `serves` is the label of the issuing key an OCSP responder answers for, empty for every other role.
-- `request` keeps the PKCS#10 that went to an outside root until its certificate comes back.
CREATE TABLE service_key (
    label          TEXT   PRIMARY KEY,
    role           TEXT   NOT NULL CHECK (role IN ('root', 'issuing', 'ocsp', 'timestamp', 'seal', 'ledger')),
    generation     BIGINT NOT NULL CHECK (generation > 0),
    serves         TEXT   NOT NULL DEFAULT '',
    algorithm      TEXT   NOT NULL,
    public_key     BYTEA  NOT NULL,
    state          TEXT   NOT NULL CHECK (state IN ('made', 'active', 'retired')),
    request        BYTEA,
    certificate_id TEXT,
    made_at        BIGINT NOT NULL,
    active_at      BIGINT,
    retired_at     BIGINT,
    UNIQUE (role, generation),
    CHECK ((state = 'made') = (active_at IS NULL)),
    CHECK ((state = 'retired') = (retired_at IS NOT NULL)),
    CHECK (role = 'ocsp' OR serves = ''),
    CHECK (role = 'ledger' OR state = 'made' OR certificate_id IS NOT NULL)
);

-- One key in use for each role: two ceremonies that race leave one authority, not two.
-- (An OCSP responder is delegated by one issuing authority, so each of those has its own.)
CREATE UNIQUE INDEX service_key_one_active ON service_key (role, serves) WHERE state = 'active';
