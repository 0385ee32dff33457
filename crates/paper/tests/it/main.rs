//! The papers as strangers see them: poppler reads the text and the fonts, qpdf checks the structure.
#![allow(clippy::unwrap_used)]

mod papers;
mod refusals;

use std::io::Write;
use std::process::{Command, Output};

/// Runs a peer on a file. `None` when the peer is missing and `KYSO_PEERS` is not `required`.
fn peer(program: &str, before: &[&str], file: &[u8], after: &[&str]) -> Option<Output> {
    let mut kept = tempfile::NamedTempFile::new().unwrap();
    kept.write_all(file).unwrap();
    let ran = Command::new(program)
        .args(before)
        .arg(kept.path())
        .args(after)
        .output();
    match ran {
        Ok(output) => Some(output),
        Err(error) if std::env::var("KYSO_PEERS").as_deref() == Ok("required") => {
            panic!("{program}: {error}")
        }
        Err(_) => {
            println!("skipped: {program}");
            None
        }
    }
}

/// The text poppler reads, white space folded. `None` when poppler is missing.
fn text_of(pdf: &[u8]) -> Option<String> {
    let output = peer("pdftotext", &["-enc", "UTF-8"], pdf, &["-"])?;
    assert!(output.status.success(), "{output:?}");
    Some(
        String::from_utf8(output.stdout)
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
    )
}
