-- The audit ledger: what happened, written in the same commit as the change it speaks of.
--
-- A line gets its position and hash once, when it is sealed; nothing else is ever updated or deleted (on PostgreSQL grant
-- the service INSERT, SELECT, and UPDATE of these two columns only). No foreign keys: a line outlives what it speaks of.
CREATE TABLE ledger_entry (
    id       TEXT   NOT NULL PRIMARY KEY,
    kind     TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    actor    TEXT   NOT NULL,
    detail   TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    position BIGINT,
    hash     TEXT,
    CONSTRAINT ledger_entry_sealed CHECK ((position IS NULL) = (hash IS NULL))
);

CREATE UNIQUE INDEX ledger_entry_position ON ledger_entry (position) WHERE position IS NOT NULL;
CREATE INDEX ledger_entry_unsealed ON ledger_entry (id) WHERE position IS NULL;
CREATE INDEX ledger_entry_subject ON ledger_entry (subject, id);

-- Signed statements "the ledger has so many entries and ends with this hash".
CREATE TABLE ledger_checkpoint (
    size BIGINT NOT NULL PRIMARY KEY,
    head TEXT   NOT NULL,
    note TEXT   NOT NULL,
    at   BIGINT NOT NULL
);
