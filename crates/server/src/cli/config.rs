//! `kyso config`: check the configuration, explain each value, print the manual.

use std::path::Path;

use clap::Subcommand;

use super::{Outcome, console};
use crate::config::{Config, Error, Loaded, Origin, manual};

/// Verbs on the configuration.
#[derive(Subcommand)]
pub enum Verb {
    /// Say whether the file and the environment make a valid configuration.
    Check,
    /// Print every value with where it comes from.
    Explain,
    /// Print the manual of every key, as docs/config.md has it.
    Reference,
}

impl Verb {
    /// Runs the verb on the configuration at `path`.
    pub fn run(self, path: &Path) -> Outcome {
        match self {
            Self::Check => return check(path),
            Self::Explain => explain(&super::loaded(path)?),
            Self::Reference => console::text(&reference()),
        }
        Ok(true)
    }
}

/// Names everything that is wrong, not only what would stop the start first.
fn check(path: &Path) -> Outcome {
    let loaded = match Loaded::read(path, std::env::vars()) {
        Ok(loaded) => loaded,
        Err(Error::Unsafe { .. }) => {
            for fault in Loaded::faults(path, std::env::vars())? {
                console::fault(&fault.to_string());
            }
            return Ok(false);
        }
        Err(Error::Unreadable { .. }) => return super::loaded(path).map(|_| true),
        Err(error) => {
            console::fault(&error.to_string());
            return Ok(false);
        }
    };
    let missing = loaded.missing_files();
    for (key, file) in &missing {
        console::fault(&format!("{key}: {} cannot be read", file.display()));
    }
    if missing.is_empty() {
        console::done(&format!("{} is valid", path.display()));
    }
    Ok(missing.is_empty())
}

fn explain(loaded: &Loaded) {
    let values = toml::Table::try_from(&loaded.config).unwrap_or_default();
    for (section, _, fields) in manual() {
        say!("[{section}]");
        for field in fields {
            let origin = match loaded.origins.get(&format!("{section}.{}", field.key)) {
                None | Some(Origin::Default) => "default".to_owned(),
                Some(Origin::File) => "file".to_owned(),
                Some(Origin::Environment(name)) => format!("environment {name}"),
            };
            say!(
                "{:28} = {:42} # {origin}",
                field.key,
                without_password(&value(&values, section, field.key))
            );
        }
        say!();
    }
}

/// The manual as Markdown, made from the doc comments; a test keeps docs/config.md equal to it.
pub fn reference() -> String {
    let defaults = toml::Table::try_from(Config::default()).unwrap_or_default();
    let mut text = String::from(
        "# Configuration\n\nMade by `kyso config reference` from the code; do not edit.\n\n\
         One TOML file, `kyso.toml` by default. `KYSO__SECTION__KEY` in the environment overrides a key.\n\
         Unknown keys stop the start. Relative paths start from the folder of the file.\n",
    );
    for (section, doc, fields) in manual() {
        text.push_str(&format!("\n## `[{section}]`\n\n{}\n\n", squeeze(doc)));
        text.push_str("| key | default | what it does |\n| --- | --- | --- |\n");
        for field in fields {
            let default = value(&defaults, section, field.key);
            text.push_str(&format!(
                "| `{}` | `{default}` | {} |\n",
                field.key,
                squeeze(field.doc)
            ));
        }
    }
    text
}

fn value(values: &toml::Table, section: &str, key: &str) -> String {
    values
        .get(section)
        .and_then(|s| s.get(key))
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// A URL's password hidden: `postgres://kyso:secret@host/db?password=secret` shows where it is and not what.
fn without_password(value: &str) -> String {
    let mut shown = value.to_owned();
    if let Some(start) = shown.find("://").map(|at| at + 3) {
        let end = shown[start..]
            .find(['/', '?', '"'])
            .map_or(shown.len(), |length| start + length);
        if let Some(at) = shown[start..end].rfind('@').map(|at| start + at)
            && let Some(colon) = shown[start..at].find(':').map(|colon| start + colon)
        {
            shown.replace_range(colon + 1..at, "***");
        }
    }
    for name in ["password=", "sslpassword=", "token="] {
        if let Some(start) = shown.find(name).map(|at| at + name.len()) {
            let end = shown[start..]
                .find(['&', '"'])
                .map_or(shown.len(), |length| start + length);
            shown.replace_range(start..end, "***");
        }
    }
    shown
}

fn squeeze(doc: &str) -> String {
    doc.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (value, shown) in [
            ("\"sqlite://kyso.db\"", "\"sqlite://kyso.db\""),
            ("\"postgres://kyso@db/kyso\"", "\"postgres://kyso@db/kyso\""),
            (
                "\"postgres://kyso:s@cret@db:5432/kyso\"",
                "\"postgres://kyso:***@db:5432/kyso\"",
            ),
            (
                "\"postgres://kyso:se:cret@db\"",
                "\"postgres://kyso:***@db\"",
            ),
            (
                "\"postgres://db/kyso?user=kyso&password=secret&sslmode=require\"",
                "\"postgres://db/kyso?user=kyso&password=***&sslmode=require\"",
            ),
            ("\"127.0.0.1:8080\"", "\"127.0.0.1:8080\""),
        ] {
            assert_eq!(without_password(value), shown);
        }
    }
}
