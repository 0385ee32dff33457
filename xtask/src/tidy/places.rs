//! What belongs in one place and nowhere else: SQL, the keystore, the clock, chance.

use super::Finding;
use super::source::Source;

/// Words by which a line of SQL gives itself away.
const SQL: [&str; 4] = ["SELECT ", "INSERT INTO ", "DELETE FROM ", "UPDATE "];

/// A call that takes what should be given, and where it may stand (`crates/…` prefixes).
struct Banned {
    call: &'static str,
    allowed: &'static [&'static str],
    instead: &'static str,
}

const BANNED: [Banned; 7] = [
    Banned {
        call: "SystemTime::now",
        allowed: &["crates/store/src/clock.rs"],
        instead: "tx.now() or store.clock()",
    },
    Banned {
        call: "Instant::now",
        allowed: &[],
        instead: "tx.now() or store.clock()",
    },
    Banned {
        call: "rand::fill",
        allowed: &RANDOM,
        instead: "keystore.random() or store::Entropy",
    },
    Banned {
        call: "SystemRandom::new",
        allowed: &RANDOM,
        instead: "keystore.random() or store::Entropy",
    },
    Banned {
        call: "getrandom(",
        allowed: &RANDOM,
        instead: "keystore.random() or store::Entropy",
    },
    Banned {
        call: "getrandom::",
        allowed: &RANDOM,
        instead: "keystore.random() or store::Entropy",
    },
    Banned {
        call: "thread::sleep",
        allowed: &[],
        instead: "a wait that something ends",
    },
];
const RANDOM: [&str; 3] = [
    "crates/keystore/src/",
    "crates/store/src/entropy.rs",
    "crates/store/src/blob.rs",
];

pub fn check(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    if !source.is_shipped() {
        return found;
    }
    for (number, line) in source.code() {
        if !may_hold_sql(source) && is_sql(line) {
            found.push(Finding::at(
                source,
                number,
                "SQL outside table.rs: give it a name there",
            ));
        }
        if must_not_name_keystore(source) && has_word(line, "Keystore") {
            let what = "names Keystore: only status.rs under http may, so that no handler can sign";
            found.push(Finding::at(source, number, what));
        }
        for Banned {
            call,
            allowed,
            instead,
        } in &BANNED
        {
            let is_allowed = allowed.iter().any(|prefix| source.path.starts_with(prefix));
            if line.contains(call)
                && !is_allowed
                && !source.is_expected(number, "disallowed_methods")
            {
                found.push(Finding::at(
                    source,
                    number,
                    format!("{call} is taken here; use {instead}"),
                ));
            }
        }
    }
    found
}

fn may_hold_sql(source: &Source) -> bool {
    let is_word = |word| source.crate_word() == Some(word);
    // A crate's verify.rs asks across all of its tables whether the invariants hold; it writes nothing.
    let is_crate_check = source.path.ends_with("/src/verify.rs");
    is_word("store") || is_crate_check || source.path.ends_with("/table.rs")
}

/// SQL stands in a string, at its start or at the start of a line of it; a word of English does not.
fn is_sql(line: &str) -> bool {
    let text = line
        .trim_start()
        .trim_start_matches("let sql = ")
        .trim_start_matches(['"', 'r', '#']);
    SQL.iter()
        .any(|word| text.starts_with(word) || line.contains(&format!("\"{word}")))
}

fn must_not_name_keystore(source: &Source) -> bool {
    source.path.starts_with("crates/server/src/http/") && !source.path.ends_with("/status.rs")
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Source::of(path, text)).len()
    }

    #[test]
    fn sql_is_found_outside_table_rs_only() {
        let text = "const LIST: &str = \"-- list\\n\\\nSELECT id FROM x\";\nlet said = \"please SELECT one\";\n";
        assert_eq!(count("crates/signing/src/portal/mod.rs", text), 1);
        assert_eq!(
            count(
                "crates/signing/src/portal/mod.rs",
                "tx.execute(\"UPDATE x SET y = 1\", &[])"
            ),
            1
        );
        assert_eq!(count("crates/signing/src/portal/table.rs", text), 0);
        assert_eq!(count("crates/store/src/jobs/mod.rs", text), 0);
        assert_eq!(count("crates/signing/tests/it/main.rs", text), 0);
    }

    #[test]
    fn the_keystore_is_named_in_one_file_of_http_only() {
        let text = "use kyso_keystore::{DeviceKey, Keystore};";
        assert_eq!(count("crates/server/src/http/citizen.rs", text), 1);
        assert_eq!(count("crates/server/src/http/status.rs", text), 0);
        assert_eq!(count("crates/server/src/worker.rs", text), 0);
        assert_eq!(
            count(
                "crates/server/src/http/citizen.rs",
                "struct KeystoreLike; use kyso_keystore::DeviceKey;"
            ),
            0
        );
    }

    #[test]
    fn time_and_chance_are_found_unless_expected_or_in_a_test() {
        assert_eq!(
            count("crates/signing/src/lib.rs", "let now = SystemTime::now();"),
            1
        );
        assert_eq!(
            count("crates/store/src/clock.rs", "let now = SystemTime::now();"),
            0
        );
        let expected =
            "#[expect(clippy::disallowed_methods, reason = \"measures\")]\nlet t = Instant::now();";
        assert_eq!(count("crates/server/src/telemetry.rs", expected), 0);
        assert_eq!(
            count(
                "crates/signing/src/lib.rs",
                "// SystemTime::now is banned\n"
            ),
            0
        );
        assert_eq!(
            count(
                "crates/signing/src/lib.rs",
                "#[cfg(test)]\nmod tests {\n    Instant::now();\n}"
            ),
            0
        );
        assert_eq!(
            count("crates/keystore/src/memory.rs", "SystemRandom::new()"),
            0
        );
    }
}
