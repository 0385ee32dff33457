-- Work that must happen after a commit: one row per job until it is done.
--
-- due_at is when a worker may claim the job; claiming pushes it to the end of the lease, so one index answers
-- "what may I take". lease is the fencing token. again_at is set when the job is asked for while a worker holds it.
CREATE TABLE job (
    id           TEXT   NOT NULL PRIMARY KEY,
    kind         TEXT   NOT NULL,
    key          TEXT   NOT NULL,
    payload      TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    again_at     BIGINT,
    leased_until BIGINT,
    lease        BIGINT NOT NULL DEFAULT 0,
    attempts     BIGINT NOT NULL DEFAULT 0,
    error_code   TEXT,
    failed_at    BIGINT,
    CONSTRAINT job_failed CHECK (failed_at IS NULL OR (error_code IS NOT NULL AND leased_until IS NULL)),
    CONSTRAINT job_again CHECK (again_at IS NULL OR leased_until IS NOT NULL)
);

-- While a job is open there is no second one of its kind and key.
CREATE UNIQUE INDEX job_open_key ON job (kind, key) WHERE failed_at IS NULL;
CREATE INDEX job_due ON job (due_at, id) WHERE failed_at IS NULL;
