-- The certificates of ours that issue: what a CRL and an OCSP answer are about.
-- `status_changes` counts every revocation, suspension and resumption of what it issued. Whoever changes a status
-- touches this row first, and a CRL keeps the count that its snapshot had: so each CRL is one moment between two changes, and a
-- change that it does not know of makes the next one due.
CREATE TABLE issuer (
    certificate_id TEXT   PRIMARY KEY REFERENCES certificate (id),
    label          TEXT   NOT NULL REFERENCES service_key (label),
    crl_number     BIGINT NOT NULL DEFAULT 0 CONSTRAINT issuer_crl_number CHECK (crl_number >= 0),
    status_changes BIGINT NOT NULL DEFAULT 0 CONSTRAINT issuer_status_changes CHECK (status_changes >= 0)
);

CREATE UNIQUE INDEX issuer_one_label ON issuer (label);
