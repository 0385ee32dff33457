-- Results to be announced to portals, and how often it was tried.
CREATE TABLE delivery (
    id            TEXT   PRIMARY KEY,
    request_id    TEXT   NOT NULL REFERENCES signature_request (id),
    portal_id     TEXT   NOT NULL REFERENCES portal (id),
    state         TEXT   NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts      BIGINT NOT NULL DEFAULT 0,
    last_status   BIGINT,
    last_failure  TEXT,
    tried_at      BIGINT,
    created_at    BIGINT NOT NULL,
    ended_at      BIGINT,
    CHECK ((state = 'pending') = (ended_at IS NULL))
);
-- a request ends once, so it is announced once
CREATE UNIQUE INDEX delivery_once ON delivery (request_id);
CREATE INDEX delivery_of_portal ON delivery (portal_id, id);
