//! `kyso config`: check the configuration, explain each value, print the manual.

use std::path::Path;

use clap::Subcommand;

use super::Outcome;
use crate::config::{Config, Loaded, Origin, manual};

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
            Self::Check => match Loaded::read(path, std::env::vars()) {
                Ok(_) => println!("{} is valid", path.display()),
                Err(error) => {
                    println!("{error}");
                    return Ok(false);
                }
            },
            Self::Explain => explain(&super::loaded(path)?),
            Self::Reference => print!("{}", reference()),
        }
        Ok(true)
    }
}

fn explain(loaded: &Loaded) {
    let values = toml::Table::try_from(&loaded.config).unwrap_or_default();
    for (section, _, fields) in manual() {
        println!("[{section}]");
        for field in fields {
            let origin = match loaded.origins.get(&format!("{section}.{}", field.key)) {
                None | Some(Origin::Default) => "default".to_owned(),
                Some(Origin::File) => "file".to_owned(),
                Some(Origin::Environment(name)) => format!("environment {name}"),
            };
            println!(
                "{:28} = {:42} # {origin}",
                field.key,
                value(&values, section, field.key)
            );
        }
        println!();
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

fn squeeze(doc: &str) -> String {
    doc.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
