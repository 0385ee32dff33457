-- Every CRL: its number is taken and its bytes are kept before they are signed (RFC 5280 5.2.3, numbers strictly increase).
-- `scheduled` marks the regular ones: RFC 5280 3.3 counts only those when an expired certificate may leave the list.
CREATE TABLE crl (
    issuer_id           TEXT    NOT NULL REFERENCES issuer (certificate_id),
    number              BIGINT  NOT NULL CONSTRAINT crl_number CHECK (number > 0),
    previous            BIGINT,
    scheduled           BOOLEAN NOT NULL,
    status_changes      BIGINT  NOT NULL,
    entries             BIGINT  NOT NULL CONSTRAINT crl_entries CHECK (entries >= 0),
    signature_algorithm TEXT    NOT NULL,
    this_update         BIGINT  NOT NULL,
    next_update         BIGINT  NOT NULL CONSTRAINT crl_validity CHECK (next_update > this_update),
    state               TEXT    NOT NULL CONSTRAINT crl_state CHECK (state IN ('reserved', 'published')),
    tbs                 BYTEA,
    -- the keystore's, on a reservation: whoever writes rows cannot have a list of their own signed
    seal                BYTEA,
    der                 BYTEA,
    reserved_at         BIGINT  NOT NULL,
    published_at        BIGINT,
    PRIMARY KEY (issuer_id, number),
    CONSTRAINT crl_follows CHECK ((number = 1) = (previous IS NULL) AND (previous IS NULL OR previous = number - 1)),
    CONSTRAINT crl_stage CHECK ((state = 'reserved') = (tbs IS NOT NULL)
        AND (state = 'reserved') = (seal IS NOT NULL) AND (state = 'published') = (der IS NOT NULL)
        AND (state = 'published') = (published_at IS NOT NULL)),
    FOREIGN KEY (issuer_id, previous) REFERENCES crl (issuer_id, number)
);

-- Each number follows exactly one other: two publishers cannot both write the next list.
CREATE UNIQUE INDEX crl_one_next ON crl (issuer_id, previous);
