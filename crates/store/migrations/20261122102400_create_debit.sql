-- What a signed request cost, written with its result: debits = results.
CREATE TABLE debit (
    request_id    TEXT   PRIMARY KEY REFERENCES signature_request (id),
    credential_id TEXT   NOT NULL REFERENCES credential (id),
    units         BIGINT NOT NULL CHECK (units >= 0),
    debited_at    BIGINT NOT NULL
);
