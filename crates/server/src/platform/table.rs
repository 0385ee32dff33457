//! Settings that one role writes and another reads: the only table of the server itself.

/// Writes a setting, or replaces it.
pub const SET_SETTING: &str = "-- set_setting
INSERT INTO setting (name, value, set_at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = excluded.set_at";

/// Writes a setting that is not there yet; waits for another transaction that is just writing it.
pub const KEEP_SETTING: &str = "-- keep_setting
INSERT INTO setting (name, value, set_at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO NOTHING";

/// Reads a setting.
pub const SETTING: &str = "-- setting
SELECT value FROM setting WHERE name = $1";

/// Every statement, for the test that prepares them on both databases.
pub const STATEMENTS: &[&str] = &[SET_SETTING, KEEP_SETTING, SETTING];
