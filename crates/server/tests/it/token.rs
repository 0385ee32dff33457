//! The service on a PKCS#11 token: the whole mission on every database, two machines that begin at once, and a token that misbehaves.
//!
//! Faults come from the keystore's `shim.c`, a module in front of SoftHSM that does what a file tells it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use kyso_keystore::{BackendName, CitizenKey};
use kyso_store::testing::{Database, Folder, skip};

use crate::harness::{Citizen, Node, Options, PIN, World, dossier, kyso, said, until};
use crate::judges::{self, StatusAddress};

const TOKEN_PIN: &str = "87654321";

/// SoftHSM's module and a folder of empty tokens, for the life of the test process.
struct SoftHsm {
    module: PathBuf,
    home: Folder,
}

/// How many tokens the tests of this file use.
const TOKENS: usize = 20;

fn softhsm() -> Option<&'static SoftHsm> {
    static SOFTHSM: OnceLock<Option<SoftHsm>> = OnceLock::new();
    let softhsm = SOFTHSM.get_or_init(|| {
        let places = [
            "/usr/lib/softhsm/libsofthsm2.so",
            "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
            "/usr/lib64/pkcs11/libsofthsm2.so",
        ];
        let module = places
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())?;
        let home = Folder::new();
        let (tokens, configuration) = (home.path().join("tokens"), home.path().join("conf"));
        std::fs::create_dir(&tokens).unwrap();
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        std::fs::write(&configuration, text).unwrap();
        // SAFETY: Rust's readers of the environment take the lock that this takes, and the module, which reads it from
        // C, is loaded later. Servers inherit it.
        unsafe { std::env::set_var("SOFTHSM2_CONF", &configuration) };
        // A module sees the tokens that are there when it is initialised, so all are made now.
        for n in 0..TOKENS {
            let made = Command::new("softhsm2-util")
                .args(["--init-token", "--free", "--so-pin", "12345678"])
                .args(["--pin", TOKEN_PIN, "--label", &format!("kyso-{n}")])
                .output()
                .ok()?;
            assert!(made.status.success(), "{}", said(&made));
        }
        Some(SoftHsm { module, home })
    });
    if softhsm.is_none() {
        skip("softhsm2");
    }
    softhsm.as_ref()
}

/// A token that nobody has used, and the configuration for it.
struct Token {
    label: String,
    module: PathBuf,
}

impl Token {
    fn new() -> Option<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(n < TOKENS, "make more tokens");
        Some(Self {
            label: format!("kyso-{n}"),
            module: softhsm()?.module.clone(),
        })
    }

    /// A token behind a shim, and the file that commands the shim.
    fn frail() -> Option<(Self, Control)> {
        let real = Self::new()?;
        let home = softhsm()?.home.path();
        let module = home.join(format!("{}.so", real.label));
        let control = home.join(&real.label);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../keystore/tests/it/shim.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&module)
            .arg(format!("-DREAL=\"{}\"", real.module.display()))
            .arg(format!("-DCONTROL=\"{}\"", control.display()))
            .arg(&source)
            .arg("-ldl")
            .output();
        let Ok(built) = built else {
            skip("cc");
            return None;
        };
        assert!(built.status.success(), "{}", said(&built));
        let label = real.label;
        Some((Self { label, module }, Control(control)))
    }

    /// The section of the configuration.
    fn section(&self, algorithm: &str) -> String {
        let pin = softhsm().unwrap().home.path().join("pin");
        if !pin.exists() {
            std::fs::write(&pin, TOKEN_PIN).unwrap();
            crate::harness::restrict(&pin);
        }
        format!(
            "[keystore]\nbackend = \"pkcs11\"\ncitizen_algorithm = \"{algorithm}\"\npkcs11_sessions = 2\n\
             pkcs11_module = \"{}\"\npkcs11_token_label = \"{}\"\npkcs11_pin_file = \"{}\"\n",
            self.module.display(),
            self.label,
            pin.display()
        )
    }

    fn options(&self, algorithm: &str) -> Options {
        Options {
            configuration: self.section(algorithm),
            ..Options::default()
        }
    }
}

/// What commands a shim.
struct Control(PathBuf);

impl Control {
    /// The word is there whole or not at all: the shim reads at any moment.
    fn tell(&self, word: &str) {
        let beside = self.0.with_extension("new");
        std::fs::write(&beside, word).unwrap();
        std::fs::rename(&beside, &self.0).unwrap();
    }

    /// How often somebody logged in.
    fn logins(&self) -> u64 {
        std::fs::metadata(self.0.with_extension("logins")).map_or(0, |file| file.len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_mission_on_a_token() {
    for algorithm in ["rsa-2048", "p-256"] {
        for database in World::databases().await {
            let Some(token) = Token::new() else { return };
            let address = StatusAddress::new().await;
            let mut options = token.options(algorithm);
            options.configuration.insert_str(0, &address.section());
            let world = World::on(database, options).await;
            let _leading = address.lead_to(&world.node);
            let citizen = world.citizen(1).await;
            let original = dossier(1);
            let signed = world.signed(&citizen, std::slice::from_ref(&original));
            let signed = signed.await.remove(0);
            judges::accept(&world, "signed.pdf", &signed).await;
            world.finish().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_older_keystore_are_bound_and_sign_after_the_default_changed() {
    let Some(token) = Token::new() else { return };
    // RSA, since only RSA pairs are made ahead of need.
    let options = Options {
        algorithm: "rsa-2048",
        ..Options::default()
    };
    let mut world = World::on(Database::sqlite().await, options).await;
    let citizen = world.citizen(1).await;
    // Another's key is certified there, and no phone is bound to it yet.
    let (phone, enrolment, owner) = world.submitted(3).await;
    world.approve_enrolment(&enrolment).await;
    let certified = phone.wait_enrolment(&enrolment, "the certificate", |shown| {
        shown["next"][0] == "device"
    });
    certified.await.unwrap();
    world.node.stop();
    let path = world.folder.path().join("kyso.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let moved = text.replace(
        "[keystore]\ncitizen_algorithm = \"rsa-2048\"\n",
        &token.section("rsa-2048"),
    );
    assert_ne!(moved, text);
    std::fs::write(&path, moved).unwrap();
    let output = kyso(&world.folder, &["init"]);
    assert!(output.status.success(), "{}", said(&output));
    world.node = Node::start(&world.folder, None).await;

    let old = Citizen {
        phone: citizen.phone.at(&world.node.url),
        ..citizen
    };
    world.signed(&old, &[dossier(1)]).await;
    let changed = old.phone.change_pin(&old.session, PIN, "161803").await;
    assert_eq!(changed.unwrap()["state"], "bound");
    // The first binding of a key made there finds its way back, and the key signs the acceptance.
    let phone = phone.at(&world.node.url);
    world.bind(&phone, &enrolment, &owner).await;
    let shown = phone.wait_enrolment(&enrolment, "the acceptance", |shown| {
        shown["acceptance_request"].is_string()
    });
    let acceptance = shown.await.unwrap()["acceptance_request"].clone();
    let session = phone.open_session().await.unwrap();
    phone
        .approve(&session, acceptance.as_str().unwrap(), PIN)
        .await
        .unwrap();
    phone
        .wait_enrolment(&enrolment, "completion", |shown| {
            shown["state"] == "complete"
        })
        .await
        .unwrap();
    // Who comes now has a key in the token, not a pair that the older keystore made ahead of need.
    let new = world.citizen(2).await;
    let sql = "-- test.newest_key\nSELECT key_row FROM credential ORDER BY created_at DESC, id DESC LIMIT 1";
    let row = world.database.store.one(sql, &[]).await.unwrap();
    let key = CitizenKey::from_bytes(row.bytes("key_row").unwrap()).unwrap();
    assert_eq!(key.backend(), BackendName::Pkcs11);
    world.signed(&new, &[dossier(2)]).await;
    world.finish().await;
}

/// A folder with a configuration, as a second machine would have it.
fn machine(token: &Token, database: &str) -> Folder {
    let folder = Folder::new();
    let text = format!(
        "{}[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"\"\n[database]\nurl = \"{database}\"\n[log]\nformat = \"json\"\n",
        token.section("p-256")
    );
    std::fs::write(folder.path().join("kyso.toml"), text).unwrap();
    let key = folder.path().join("data.key");
    std::fs::write(&key, [7; 32]).unwrap();
    crate::harness::restrict(&key);
    folder
}

/// Two machines begin at the same moment on one empty token and one empty database: one set of keys, and both go on.
#[tokio::test(flavor = "multi_thread")]
async fn two_machines_that_begin_at_once_make_one_set_of_keys() {
    for database in World::databases().await {
        for _ in 0..2 {
            let Some(token) = Token::new() else { return };
            database
                .tamper("DELETE FROM setting WHERE name LIKE 'keystore-%'")
                .await;
            let machines = [(); 2].map(|()| machine(&token, &database.url));
            let begun = machines.each_ref().map(|folder| {
                Command::new(env!("CARGO_BIN_EXE_kyso"))
                    .arg("init")
                    .current_dir(folder.path())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            });
            for one in begun {
                let output = one.wait_with_output().unwrap();
                assert!(output.status.success(), "{}", said(&output));
            }
            for folder in &machines {
                let examined = said(&kyso(folder, &["doctor"]));
                assert!(examined.contains("pkcs11 answers"), "{examined}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_token_is_filled_by_init_only_and_a_killed_init_is_run_again() {
    let Some(token) = Token::new() else { return };
    let database = Database::sqlite().await;
    let folder = machine(&token, &database.url);
    let examined = said(&kyso(&folder, &["doctor"]));
    assert!(
        examined.contains("none of the keystore's internal keys")
            && examined.contains("`kyso init`"),
        "{examined}"
    );
    let node = Node::start(&folder, None).await;
    node.unready("keystore").await;
    drop(node);

    let killed = Command::new(env!("CARGO_BIN_EXE_kyso"))
        .arg("init")
        .current_dir(folder.path())
        .env("KYSO_FAILPOINTS_ALLOWED", "yes")
        .env("KYSO_FAILPOINT", "server.init.keystore_made:abort")
        .output()
        .unwrap();
    assert!(!killed.status.success());
    for _ in 0..2 {
        let output = kyso(&folder, &["init"]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let examined = said(&kyso(&folder, &["doctor"]));
    assert!(examined.contains("pkcs11 answers"), "{examined}");

    // Another, empty token in its place is a loss to be named, not to be filled.
    let Some(other) = Token::new() else { return };
    let text = std::fs::read_to_string(folder.path().join("kyso.toml")).unwrap();
    std::fs::write(
        folder.path().join("kyso.toml"),
        text.replace(&token.label, &other.label),
    )
    .unwrap();
    kyso(&folder, &["init"]);
    let examined = said(&kyso(&folder, &["doctor"]));
    assert!(
        examined.contains("none of the keystore's internal keys"),
        "{examined}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_missing_stops_the_start_with_its_name() {
    let Some(mut token) = Token::new() else {
        return;
    };
    token.module = "/nonexistent/module.so".into();
    let database = Database::sqlite().await;
    let folder = machine(&token, &database.url);
    for verb in ["serve", "init"] {
        let output = kyso(&folder, &[verb]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{verb}: {said}");
        assert!(
            said.contains("/nonexistent/module.so is missing or does not load"),
            "{verb}: {said}"
        );
    }
}

/// A world on a token that misbehaves, with a citizen who signs.
struct Frail {
    world: World,
    control: Control,
    citizen: Citizen,
}

impl Frail {
    async fn new(server: &str) -> Option<Self> {
        let (token, control) = Token::frail()?;
        let options = Options {
            server: server.to_owned(),
            ..token.options("p-256")
        };
        let world = World::on(Database::sqlite().await, options).await;
        let citizen = world.citizen(1).await;
        Some(Self {
            world,
            control,
            citizen,
        })
    }

    /// A request that the citizen has approved.
    async fn approved(&self, n: u32) -> String {
        let request = self.world.ask(&self.citizen, &[dossier(n)]).await;
        let phone = &self.citizen.phone;
        phone
            .approve(&self.citizen.session, &request, PIN)
            .await
            .unwrap();
        request
    }

    /// How often the worker has put the job of a request off.
    async fn tries(&self, request: &str) -> i64 {
        let row = self
            .world
            .platform
            .store
            .optional(
                "-- tries\nSELECT attempts FROM job WHERE kind = 'signing.sign' AND payload LIKE '%' || $1 || '%'",
                &[request.into()],
            )
            .await
            .unwrap();
        row.map_or(0, |row| row.int("attempts").unwrap())
    }

    /// The request is tried in vain, and nothing comes of it.
    async fn in_vain(&self, request: &str) {
        until("the signature is tried", async || {
            self.tries(request).await >= 2
        })
        .await;
        let shown = self
            .citizen
            .phone
            .see(&self.citizen.session, request)
            .await
            .unwrap();
        assert_eq!(shown["state"], "approved");
        let none = self
            .world
            .platform
            .store
            .one(
                "-- signatures\nSELECT COUNT(position) AS n FROM signature_document WHERE request_id = $1 AND signature IS NOT NULL",
                &[request.into()],
            )
            .await
            .unwrap();
        assert_eq!(none.int("n").unwrap(), 0, "nothing is released");
    }

    /// The request is signed in the end, without a burnt try.
    async fn comes_out(&self, request: &str) {
        let shown = self
            .citizen
            .phone
            .wait_request(
                &self.citizen.session,
                request,
                &["signed", "delivered", "failed"],
            )
            .await
            .unwrap();
        assert_ne!(shown["state"], "failed", "{shown}");
        assert!(shown["tries_left"].is_null(), "{shown}");
        assert!(self.world.signed_document(request, 0).await.len() > 1000);
    }
}

/// The token vanishes, hangs and errs in the middle of service: what is finished stays, what is not is done when it is
/// back, and everything that needs no key goes on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_vanish_hang_and_err_in_the_middle_of_service() {
    let Some(frail) = Frail::new("").await else {
        return;
    };
    let (world, control) = (&frail.world, &frail.control);
    let first = frail.approved(1).await;
    frail.comes_out(&first).await;
    let finished = world.signed_document(&first, 0).await;

    control.tell("dead");
    let waiting = [frail.approved(2).await, frail.approved(3).await];
    for request in &waiting {
        frail.in_vain(request).await;
    }
    world.node.unready("keystore").await;
    assert_eq!(
        world.signed_document(&first, 0).await,
        finished,
        "what is finished is served without the token"
    );
    control.tell("ok");
    for request in &waiting {
        frail.comes_out(request).await;
    }

    control.tell("hang");
    let waiting = frail.approved(4).await;
    world.node.unready("keystore").await;
    assert_eq!(world.signed_document(&first, 0).await, finished);
    control.tell("ok");
    frail.comes_out(&waiting).await;

    control.tell("flip");
    let waiting = frail.approved(5).await;
    frail.in_vain(&waiting).await;
    assert!(world.node.log().contains("faulty signature"));
    control.tell("ok");
    frail.comes_out(&waiting).await;
    frail.world.finish().await;
}

/// A token that takes its time: everything comes out, no try is lost, and what needs no key does not wait for what does.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_token_holds_up_only_what_needs_it() {
    let Some(frail) = Frail::new("").await else {
        return;
    };
    let first = frail.approved(1).await;
    frail.comes_out(&first).await;
    frail.control.tell("slow");
    let mut waiting = Vec::new();
    for n in 2..=4 {
        waiting.push(frail.approved(n).await);
    }
    assert!(frail.world.signed_document(&first, 0).await.len() > 1000);
    let (phone, session) = (&frail.citizen.phone, &frail.citizen.session);
    let shown = phone.see(session, &waiting[2]).await.unwrap();
    assert_eq!(shown["state"], "approved", "the token is still at it");
    for request in &waiting {
        frail.comes_out(request).await;
    }
    frail.world.finish().await;
}

/// A token that never answers again does not keep the process from ending, nor the next one from starting; when it is
/// another day, what waited is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_hangs_for_good_holds_up_no_end_and_no_start() {
    let Some(mut frail) = Frail::new("drain_seconds = 1").await else {
        return;
    };
    let first = frail.approved(1).await;
    frail.comes_out(&first).await;
    frail.control.tell("hang");
    let waiting = frail.approved(2).await;
    frail.world.node.unready("keystore").await;
    frail.world.node.terminate();
    assert_eq!(frail.world.node.exit_code(), Some(0));
    let log = frail.world.node.log();
    assert!(log.contains("stopped with work unfinished"), "{log}");

    frail.world.restart().await;
    frail.citizen.phone = frail.citizen.phone.at(&frail.world.node.url);
    frail.world.node.unready("keystore").await;
    assert!(frail.world.signed_document(&first, 0).await.len() > 1000);
    frail.control.tell("ok");
    frail.world.hurry().await;
    frail.comes_out(&waiting).await;
    frail.world.finish().await;
}

/// A locked PIN is offered once, however much work waits, and the service says that it cannot sign.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_token_is_left_alone() {
    let Some(mut frail) = Frail::new("").await else {
        return;
    };
    frail.control.tell("lock");
    let before = frail.control.logins();
    let waiting = frail.approved(1).await;
    until("several tries", async || frail.tries(&waiting).await >= 4).await;
    assert_eq!(frail.control.logins() - before, 1);
    frail.world.node.unready("keystore").await;
    let log = frail.world.node.log();
    assert!(
        log.contains("the token refused its PIN; it is not tried again")
            && !log.contains(TOKEN_PIN),
        "{log}"
    );
    // Unlocked by its owner: the PIN is the same, so only a start offers it again.
    frail.control.tell("ok");
    frail.in_vain(&waiting).await;
    frail.world.node.stop();
    frail.world.restart().await;
    frail.citizen.phone = frail.citizen.phone.at(&frail.world.node.url);
    frail.comes_out(&waiting).await;
    frail.world.finish().await;
}
