-- What one role of the server tells the others: the public approval key, which the web role hands to phones and
-- only the worker, which holds the keystore, can know.
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value BYTEA NOT NULL,
    set_at BIGINT NOT NULL
);
