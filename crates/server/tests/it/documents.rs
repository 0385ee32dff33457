//! What is printed from the code and committed: it equals the code, or this fails and says how to print it again.

use std::path::{Path, PathBuf};

use kyso_server::{cli, config, http, problem, telemetry};

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Compares, or writes when `KYSO_PRINT=yes`.
fn same(path: &str, printed: &str) {
    let file = repository(path);
    if std::env::var_os("KYSO_PRINT").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, printed).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == printed,
        "{path} is not what the code says; print it with KYSO_PRINT=yes cargo test -p kyso-server documents"
    );
}

#[test]
fn the_openapi_document_is_committed() {
    same("openapi/v1.json", &http::openapi::document_json());
}

/// Somebody else's program reads the document as its specification says.
#[test]
fn the_openapi_document_is_one() {
    let python = repository("target/venv/bin/python");
    let script = "import sys, json; from openapi_spec_validator import validate; validate(json.load(open(sys.argv[1])))";
    let output = std::process::Command::new(&python)
        .args(["-c", script])
        .arg(repository("openapi/v1.json"))
        .output();
    match output {
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            if words.contains("ModuleNotFoundError") {
                return skipped("openapi-spec-validator");
            }
            assert!(output.status.success(), "{words}");
        }
        Err(_) => skipped("openapi-spec-validator"),
    }
}

fn skipped(what: &str) {
    assert!(
        std::env::var_os("KYSO_PEERS").is_none_or(|wanted| wanted != "required"),
        "{what} is missing"
    );
    eprintln!("skipped: {what} is not installed");
}

#[test]
fn every_problem_code_is_in_the_docs() {
    same("docs/errors.md", &problem::catalog::reference());
}

#[test]
fn every_configuration_key_is_in_the_docs() {
    same("docs/config.md", &cli::config_reference());
}

#[test]
fn every_metric_is_in_the_docs() {
    same("docs/metrics.md", &telemetry::reference());
    let mut files = vec![repository("crates/server/src")];
    let mut counted = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            files.extend(entries.map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for kind in ["counter", "gauge", "histogram"] {
            let call = format!("metrics::{kind}!(");
            let after = text.split(&call).skip(1);
            counted.extend(after.map(|rest| {
                let name = rest.split('"').nth(1).unwrap();
                (name.to_owned(), kind)
            }));
        }
    }
    let mut listed: Vec<(String, &str)> = telemetry::METRICS
        .iter()
        .map(|metric| (metric.name.to_owned(), metric.kind))
        .collect();
    counted.sort();
    counted.dedup();
    listed.sort();
    assert_eq!(counted, listed);
}

#[test]
fn every_sample_configuration_is_valid() {
    for sample in ["docs/samples/kyso.toml", "docs/samples/province.toml"] {
        config::Loaded::read(&repository(sample), [])
            .unwrap_or_else(|error| panic!("{sample}: {error}"));
    }
}

#[test]
fn the_sample_campaign_is_valid() {
    let text = std::fs::read_to_string(repository("docs/samples/campaign.toml")).unwrap();
    cli::check_campaign_file(&text).unwrap();
}

/// One test prepares every statement of every crate on both databases: own SQL is checked by the databases themselves.
#[tokio::test]
async fn every_statement_is_one_both_databases_take() {
    let mut statements: Vec<&'static str> = kyso_store::statements();
    statements.extend(kyso_authority::statements());
    statements.extend(kyso_signing::statements());
    statements.extend(kyso_registration::statements());
    statements.extend(kyso_server::platform::table::STATEMENTS);
    kyso_store::testing::prepare_all(&statements).await;
}
