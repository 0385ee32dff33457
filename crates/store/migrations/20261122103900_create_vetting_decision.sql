-- What officers decided, and the pieces they asked to be repaired.
CREATE TABLE vetting_decision (
    id           TEXT   PRIMARY KEY,
    enrolment_id TEXT   NOT NULL REFERENCES enrolment (id),
    officer_id   TEXT   NOT NULL REFERENCES officer (id),
    round        BIGINT NOT NULL,
    verdict      TEXT   NOT NULL CHECK (verdict IN ('approve', 'reject', 'supplement')),
    reasons      TEXT   NOT NULL,
    decided_at   BIGINT NOT NULL,
    -- an approval is what the officer signed, and the signature
    statement    BYTEA,
    signature    BYTEA,
    CHECK ((verdict = 'approve') = (statement IS NOT NULL)),
    CHECK ((verdict = 'approve') = (signature IS NOT NULL))
);
-- an officer decides once in a round
CREATE UNIQUE INDEX vetting_decision_once ON vetting_decision (enrolment_id, round, officer_id);

CREATE TABLE supplement_piece (
    enrolment_id TEXT   NOT NULL REFERENCES enrolment (id),
    round        BIGINT NOT NULL,
    piece        TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    asked_at     BIGINT NOT NULL,
    repaired_at  BIGINT,
    PRIMARY KEY (enrolment_id, round, piece)
);
