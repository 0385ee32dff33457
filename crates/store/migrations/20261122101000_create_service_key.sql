-- The institution's own keys: one row for each key the keystore holds for us under `label`.
-- The private half never comes here; `public_key` is the SubjectPublicKeyInfo the certificate is made for.
-- A row is `planned` before the keystore is asked for the key: a key found under a label nobody planned is not ours to adopt.
-- `serves` is the label of the issuing key an OCSP responder answers for, empty for every other role.
-- `request` keeps the PKCS#10 that went to an outside root until its certificate comes back.
CREATE TABLE service_key (
    label          TEXT   PRIMARY KEY,
    role           TEXT   NOT NULL CONSTRAINT service_key_role CHECK (role IN ('root', 'issuing', 'ocsp', 'timestamp', 'seal', 'ledger')),
    generation     BIGINT NOT NULL CONSTRAINT service_key_generation CHECK (generation > 0),
    serves         TEXT   NOT NULL DEFAULT '',
    algorithm      TEXT   NOT NULL,
    public_key     BYTEA,
    state          TEXT   NOT NULL CONSTRAINT service_key_state CHECK (state IN ('planned', 'made', 'active', 'retired')),
    request        BYTEA,
    certificate_id TEXT,
    planned_at     BIGINT NOT NULL,
    made_at        BIGINT,
    active_at      BIGINT,
    retired_at     BIGINT,
    CONSTRAINT service_key_made CHECK ((state = 'planned') = (public_key IS NULL) AND (state = 'planned') = (made_at IS NULL)),
    CONSTRAINT service_key_active CHECK ((state IN ('planned', 'made')) = (active_at IS NULL)),
    CONSTRAINT service_key_retired CHECK ((state = 'retired') = (retired_at IS NOT NULL)),
    CONSTRAINT service_key_serves CHECK (role = 'ocsp' OR serves = ''),
    CONSTRAINT service_key_certified CHECK (role = 'ledger' OR state IN ('planned', 'made') OR certificate_id IS NOT NULL)
);

-- One key in use for each role: two ceremonies that race leave one authority, not two.
-- (An OCSP responder is delegated by one issuing authority, so each of those has its own.)
CREATE UNIQUE INDEX service_key_one_active ON service_key (role, serves) WHERE state = 'active';
CREATE UNIQUE INDEX service_key_one_generation ON service_key (role, generation);
