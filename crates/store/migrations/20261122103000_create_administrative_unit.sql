-- Provinces and communes with their history. A code is used again after a merger, so a unit is its code and its first
-- day. Units that ended stay: certificates issued before keep their names.
CREATE TABLE administrative_unit (
    tier        TEXT NOT NULL CHECK (tier IN ('province', 'district', 'commune')),
    code        TEXT NOT NULL,
    parent_code TEXT,
    name        TEXT NOT NULL,
    valid_from  TEXT NOT NULL,
    valid_to    TEXT,
    PRIMARY KEY (tier, code, valid_from),
    CHECK ((tier = 'province') = (parent_code IS NULL)),
    CHECK (valid_to IS NULL OR valid_to > valid_from)
);
-- of one code at most one unit is in force
CREATE UNIQUE INDEX administrative_unit_in_force ON administrative_unit (tier, code) WHERE valid_to IS NULL;
CREATE INDEX administrative_unit_of_parent ON administrative_unit (parent_code, tier) WHERE valid_to IS NULL;

-- What an old unit became, many to many.
CREATE TABLE administrative_merger (
    tier            TEXT NOT NULL,
    from_code       TEXT NOT NULL,
    from_valid_from TEXT NOT NULL,
    to_code         TEXT NOT NULL,
    PRIMARY KEY (tier, from_code, from_valid_from, to_code),
    FOREIGN KEY (tier, from_code, from_valid_from) REFERENCES administrative_unit (tier, code, valid_from)
);
