-- A person, once an enrolment of theirs was approved. Everything about them stands in the enrolments; the row is the
-- one thing that two enrolments of one person share.
CREATE TABLE citizen (
    id              TEXT   PRIMARY KEY,
    identity_number TEXT   NOT NULL,
    created_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX citizen_identity_once ON citizen (identity_number);
