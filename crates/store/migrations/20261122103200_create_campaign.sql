-- Enrolment drives. `taken` is a guarded counter: the row decides who gets the last place.
CREATE TABLE campaign (
    code       TEXT   PRIMARY KEY,
    name       TEXT   NOT NULL,
    plan_code  TEXT   NOT NULL REFERENCES plan (code),
    price_vnd  BIGINT NOT NULL CHECK (price_vnd >= 0),
    starts_at  BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    quota      BIGINT CHECK (quota >= 0),
    taken      BIGINT NOT NULL DEFAULT 0 CHECK (taken >= 0),
    desk       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    CHECK (ends_at > starts_at),
    CHECK (quota IS NULL OR taken <= quota)
);

-- Who is eligible: codes of provinces and communes; none = everybody.
CREATE TABLE campaign_area (
    campaign_code TEXT NOT NULL REFERENCES campaign (code),
    unit_code     TEXT NOT NULL,
    PRIMARY KEY (campaign_code, unit_code)
);

-- Portals where a signature costs no unit.
CREATE TABLE campaign_free_portal (
    campaign_code TEXT NOT NULL REFERENCES campaign (code),
    portal_id     TEXT NOT NULL,
    PRIMARY KEY (campaign_code, portal_id)
);
