-- What a citizen chooses: unlimited signatures for a time, or a pack.
CREATE TABLE plan (
    code       TEXT    PRIMARY KEY,
    name       TEXT    NOT NULL,
    name_en    TEXT    NOT NULL,
    months     BIGINT  NOT NULL CHECK (months BETWEEN 1 AND 36),
    signatures BIGINT  CHECK (signatures > 0),
    price_vnd  BIGINT  NOT NULL CHECK (price_vnd >= 0),
    is_public  BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL
);
