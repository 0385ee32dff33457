//! The command line as somebody meets it who has never seen it: before `init`, twice, with the wrong words, into a pipe.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use kyso_store::testing::Folder;
use serde_json::Value;

/// `kyso` in a folder.
struct Operator {
    folder: Folder,
}

impl Operator {
    fn new() -> Self {
        Self {
            folder: Folder::new(),
        }
    }

    /// An installation with a ceremony of elliptic keys where that is possible.
    fn installed() -> Self {
        let operator = Self::new();
        operator.succeeds(&["init", "--citizen-algorithm", "p-256"]);
        operator.succeeds(&[
            "ceremony",
            "run",
            "--root-algorithm",
            "p-384",
            "--issuing-algorithm",
            "p-256",
        ]);
        operator
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kyso"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("KYSO_CONFIG")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", words(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Exit code and everything that was said.
    fn answers(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments);
        (output.status.code(), words(&output))
    }

    /// State and message of a check of the doctor's.
    fn diagnosis(&self, check: &str) -> (String, String) {
        let output = self.run(&["doctor", "--json"]);
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        let finding = findings
            .iter()
            .find(|finding| finding["check"] == check)
            .unwrap_or_else(|| panic!("no {check} in {findings:?}"));
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        (text("state"), text("message"))
    }

    /// What stands in the folder, without the files that SQLite makes and removes beside an open database.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
            .collect();
        files.sort();
        files
    }
}

fn words(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Every verb that needs an installation.
const VERBS: &[&[&str]] = &[
    &["serve"],
    &["doctor"],
    &["ceremony", "run"],
    &["officer", "list"],
    &["portal", "list"],
    &["campaign", "list"],
    &["ledger", "verify"],
    &["config", "check"],
    &["config", "explain"],
    &["verify-store"],
];

#[test]
fn before_init_every_verb_says_to_run_it_and_leaves_nothing() {
    let operator = Operator::new();
    for verb in VERBS {
        let (code, said) = operator.answers(verb);
        assert_eq!(code, Some(2), "{verb:?}: {said}");
        assert!(said.contains("kyso init"), "{verb:?}: {said}");
        assert_eq!(operator.files(), Vec::<String>::new(), "{verb:?}");
    }
}

#[test]
fn a_lost_database_is_named_and_not_made_anew() {
    let operator = Operator::installed();
    for name in ["kyso.db", "kyso.db-wal", "kyso.db-shm"] {
        let _ = std::fs::remove_file(operator.path(name));
    }
    for verb in VERBS.iter().filter(|verb| verb[0] != "config") {
        let (code, said) = operator.answers(verb);
        assert!(matches!(code, Some(1 | 2)), "{verb:?}: {said}");
        assert!(said.contains("the database is missing"), "{verb:?}: {said}");
        assert!(!operator.path("kyso.db").exists(), "{verb:?}");
    }
}

#[test]
fn a_second_init_keeps_everything_and_refuses_other_values() {
    let operator = Operator::new();
    operator.succeeds(&["init", "--listen", "127.0.0.1:8181"]);
    let before = std::fs::read(operator.path("kyso.toml")).unwrap();
    let key = std::fs::read(operator.path("data.key")).unwrap();
    operator.succeeds(&["init", "--listen", "127.0.0.1:8181"]);
    let (code, said) = operator.answers(&["init", "--listen", "127.0.0.1:9999"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--listen"), "{said}");
    assert_eq!(std::fs::read(operator.path("kyso.toml")).unwrap(), before);
    assert_eq!(std::fs::read(operator.path("data.key")).unwrap(), key);
}

#[test]
fn init_refuses_what_no_certificate_may_carry_and_writes_nothing() {
    let operator = Operator::new();
    for (flag, value) in [
        ("--organisation", ""),
        ("--organisation", "  "),
        ("--citizen-algorithm", "rsa-1024"),
        ("--public-url", "ky.example.vn"),
        ("--public-url", "https://ky.example.vn"),
    ] {
        let (code, said) = operator.answers(&["init", flag, value]);
        assert_eq!(code, Some(2), "{flag} {value:?}: {said}");
        let flag_named = said.contains(flag) || said.contains("--status-url");
        assert!(flag_named, "{flag} {value:?}: {said}");
        assert_eq!(operator.files(), Vec::<String>::new(), "{flag} {value:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let operator = Operator::new();
    for verb in [
        &["config", "reference"][..],
        &["openapi"],
        &["init"],
        &["--help"],
    ] {
        let mut child = operator
            .command(verb)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = words(&output);
        assert!(!said.contains("panicked"), "{verb:?}: {said}");
    }
    assert!(
        operator.path("kyso.db").exists(),
        "init went on to its end without a reader"
    );
}

#[test]
fn config_check_names_every_fault_and_every_missing_file() {
    let operator = Operator::new();
    operator.succeeds(&["init"]);
    assert_eq!(operator.answers(&["config", "check"]).0, Some(0));
    let write = |text: &str| std::fs::write(operator.path("kyso.toml"), text).unwrap();
    write(
        "[keystore]\ncitizen_algorithm = \"rsa-1024\"\n[log]\nfilter = \"info,x=loud\"\n[signing]\nbatches = 0\n",
    );
    let (code, said) = operator.answers(&["config", "check"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("keystore.citizen_algorithm")
            && said.contains("log.filter")
            && said.contains("signing.batches"),
        "{said}"
    );
    write("[mail]\nhost = \"mail.example.vn\"\nuser = \"kyso\"\npassword_file = \"nowhere\"\n");
    let (code, said) = operator.answers(&["config", "check"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("mail.password_file"), "{said}");
}

#[test]
fn a_password_in_the_database_url_is_not_explained() {
    let operator = Operator::new();
    std::fs::write(
        operator.path("kyso.toml"),
        "[database]\nurl = \"postgres://kyso:geheim@db/kyso\"\n",
    )
    .unwrap();
    let said = operator.succeeds(&["config", "explain"]);
    assert!(
        said.contains("postgres://kyso:***@db/kyso") && !said.contains("geheim"),
        "{said}"
    );
}

#[test]
fn the_doctor_tells_one_line_a_check_and_changes_nothing() {
    let operator = Operator::installed();
    let before = operator.files();
    let (_, said) = operator.answers(&["doctor"]);
    let checks: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    for check in [
        "configuration",
        "database",
        "keystore",
        "keys",
        "certificates",
        "ledger",
    ] {
        let lines = checks.iter().filter(|found| **found == check).count();
        assert_eq!(lines, 1, "{check}: {said}");
    }
    assert_eq!(operator.files(), before);
    for (check, state) in [
        ("configuration", "ok"),
        ("database", "ok"),
        ("data", "ok"),
        ("keys", "ok"),
        ("CRL", "ok"),
        ("ledger", "ok"),
        ("keystore", "warn"),
        ("provider", "warn"),
        ("policy", "warn"),
        ("addresses", "warn"),
        ("mail", "warn"),
        ("people", "warn"),
    ] {
        let name = if check == "data" { "data key" } else { check };
        assert_eq!(operator.diagnosis(name).0, state, "{name}: {said}");
    }
}

#[test]
fn the_doctor_and_the_server_notice_a_wrong_data_key() {
    let operator = Operator::installed();
    std::fs::write(operator.path("data.key"), [7; 32]).unwrap();
    let (state, message) = operator.diagnosis("data key");
    assert_eq!(state, "fail", "{message}");
    let (code, said) = operator.answers(&["serve"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is not the data key"), "{said}");
}

#[test]
fn the_doctor_notices_the_keystore_of_another_installation() {
    let (operator, other) = (Operator::installed(), Operator::installed());
    std::fs::remove_dir_all(operator.path("keys")).unwrap();
    copy(&other.path("keys"), &operator.path("keys"));
    let (state, message) = operator.diagnosis("keys");
    assert_eq!(state, "fail", "{message}");
    assert_eq!(operator.run(&["doctor"]).status.code(), Some(1));
}

#[test]
fn a_ledger_stays_whole_when_the_public_url_changes() {
    let operator = Operator::installed();
    serve_until_sealed(&operator);
    assert!(operator.succeeds(&["ledger", "verify"]).contains("whole"));
    let path = operator.path("kyso.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let moved = format!("{text}\n[server]\npublic_url = \"http://ky.example.vn\"\n");
    std::fs::write(&path, moved).unwrap();
    let said = operator.succeeds(&["ledger", "verify"]);
    assert!(
        said.contains("whole") && !said.contains(" 0 checkpoints"),
        "{said}"
    );
}

#[test]
fn a_server_before_its_ceremony_says_so_without_colours_in_a_file() {
    let operator = Operator::new();
    operator.succeeds(&[
        "init",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "127.0.0.1:0",
    ]);
    let log = operator.path("log");
    let file = std::fs::File::create(&log).unwrap();
    let mut child = operator
        .command(&["serve"])
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .unwrap();
    let said = wait_for(|| {
        let text = std::fs::read_to_string(&log).unwrap();
        text.contains("serving").then_some(text)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.contains("kyso ceremony run"), "{said}");
    assert!(!said.contains('\x1b'), "{said}");
}

#[test]
fn a_rotated_secret_has_a_label_unless_a_script_asks() {
    let operator = Operator::installed();
    operator.succeeds(&[
        "portal",
        "add",
        "--name",
        "Cổng thử",
        "--client-id",
        "cong-thu",
    ]);
    let said = operator.succeeds(&["portal", "rotate", "cong-thu"]);
    assert!(
        said.contains("secret: ") && said.contains("for an hour"),
        "{said}"
    );
    let bare = operator.succeeds(&["portal", "rotate", "cong-thu", "--quiet"]);
    assert_eq!(bare.split_whitespace().count(), 1, "{bare}");
}

/// Serves until a checkpoint is published.
fn serve_until_sealed(operator: &Operator) {
    let mut child = operator
        .command(&["serve"])
        .env("KYSO__SERVER__LISTEN", "127.0.0.1:0")
        .env("KYSO__SERVER__METRICS_LISTEN", "")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = operator.path("checkpoints/checkpoint");
    wait_for(|| checkpoint.exists().then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process is waited for, and nothing tells when it is ready"
)]
fn wait_for<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(value) = ready() {
            return value;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("waited in vain");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => std::fs::copy(entry.path(), target).map(drop).unwrap(),
        }
    }
    let mode = std::fs::metadata(from).unwrap().permissions();
    std::fs::set_permissions(to, mode).unwrap();
}
