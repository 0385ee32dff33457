//! Lists `migrations/*.sql` for the binary: adding a file is enough.

use std::fmt::Write as _;
use std::path::Path;

fn main() {
    // Cargo watches a folder with all that is in it, so an added, edited or removed file builds this crate again.
    println!("cargo::rerun-if-changed=migrations");
    let folder =
        Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("migrations");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("crates/store/migrations exists")
        .map(|entry| {
            entry
                .expect("a readable folder")
                .file_name()
                .into_string()
                .expect("UTF-8 file names")
        })
        .filter(|name| name.ends_with(".sql"))
        .collect();
    files.sort();

    let mut list = String::from("&[\n");
    let mut last = String::new();
    for file in files {
        let (id, name) = parse(&file).unwrap_or_else(|| {
            panic!("migrations/{file}: want YYYYMMDDHHMMSS_verb_table_what.sql")
        });
        assert!(id != last, "migrations/{file}: id {id} is taken");
        // The folder is named when the crate is compiled, so that a checkout may be moved with what it has built.
        let text = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/migrations/{file}\")");
        writeln!(
            list,
            "    Migration {{ id: {id}, name: {name:?}, sql: include_str!({text}) }},"
        )
        .expect("a string");
        last = id.to_owned();
    }
    list.push_str("]\n");
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    std::fs::write(Path::new(&out).join("migrations.rs"), list).expect("a writable OUT_DIR");
}

/// `20261122100100_create_job.sql` → (`20261122100100`, `create_job`).
fn parse(file: &str) -> Option<(&str, &str)> {
    let (id, name) = file.strip_suffix(".sql")?.split_once('_')?;
    let digits = id.len() == 14 && id.bytes().all(|byte| byte.is_ascii_digit());
    let words = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (digits && words).then_some((id, name))
}
