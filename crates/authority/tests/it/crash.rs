//! Killed before and after every keystore call and every commit, then gone on with: one certificate, one list of each number,
//! none without its row, none twice.
//!
//! The test runs itself as a second process that dies at a named failpoint, as by `kill -9`.

use std::process::Command;

use kyso_authority::ceremony::{Plan, Root};
use kyso_authority::{Authority, AuthorityConfig, Reason};
use kyso_keystore::Keystore;
use kyso_pki::crl::Crl;
use kyso_pki::ocsp::{CertId, IdHash, Request, Response};
use kyso_pki::public_key::PublicKey;
use kyso_store::testing::{Database, Folder, START};
use kyso_store::{Clock, Options, Store};

use crate::harness::{order, software};

const DATABASE: &str = "KYSO_TEST_CRASH_DATABASE";
const KEYS: &str = "KYSO_TEST_CRASH_KEYS";
const ACT: &str = "KYSO_TEST_CRASH_ACT";
const PUBLIC_KEY: &str = "KYSO_TEST_CRASH_PUBLIC_KEY";

/// The body of the second process; does nothing when the suite runs it.
#[tokio::test]
async fn second_process() {
    let Ok(url) = std::env::var(DATABASE) else {
        return;
    };
    let options = Options {
        clock: Clock::fixed(START),
        ..Options::default()
    };
    let store = Store::open_with(&url, options).await.unwrap();
    let keys = software(std::env::var(KEYS).unwrap().as_ref());
    let authority = Authority::new(store, AuthorityConfig::sample());
    act(&std::env::var(ACT).unwrap(), &authority, &keys).await;
}

/// What is killed, and what is done again afterwards.
async fn act(act: &str, authority: &Authority, keys: &Keystore) {
    match act {
        "ceremony" => drop(
            authority
                .ceremony(keys, &Plan::elliptic(), &|_| ())
                .await
                .unwrap(),
        ),
        "request" => {
            let plan = Plan {
                root: Root::Outside,
                ..Plan::elliptic()
            };
            drop(authority.ceremony(keys, &plan, &|_| ()).await.unwrap());
        }
        "issue" => {
            let public_key =
                PublicKey::from_der(&hex::decode(std::env::var(PUBLIC_KEY).unwrap()).unwrap())
                    .unwrap();
            issue(authority, keys, public_key).await;
        }
        "revoke" => {
            let issued = authority.certificate_for("cred_1").await.unwrap().unwrap();
            authority
                .revoke(issued.id, Reason::KeyCompromise, "ofc_1")
                .await
                .unwrap();
            authority.publish_crl_if_due(keys).await.unwrap();
        }
        "answer" => {
            let issued = authority.certificate_for("cred_1").await.unwrap().unwrap();
            let issuer = authority.chain().await.unwrap()[0].clone();
            let request = Request {
                ids: vec![CertId::of(IdHash::Sha1, &issuer, issued.certificate.serial()).unwrap()],
                nonce: None,
            };
            let asked = request.to_der().unwrap();
            let answer = authority.answer(keys, &asked, START).await;
            Response::from_der(&answer.der)
                .unwrap()
                .verify(&issuer)
                .unwrap();
            assert_eq!(answer.outcome, "good");
        }
        other => panic!("{other}"),
    }
}

async fn issue(authority: &Authority, keys: &Keystore, public_key: PublicKey) {
    let prepared = authority
        .prepare(keys, &order("cred_1", public_key))
        .await
        .unwrap();
    authority.issue(keys, prepared).await.unwrap();
}

/// One installation on disk that processes die on.
struct Site {
    database: Database,
    folder: Folder,
    authority: Authority,
}

impl Site {
    async fn each() -> Vec<Site> {
        Database::each().await.into_iter().map(Site::on).collect()
    }

    fn on(database: Database) -> Site {
        let authority = Authority::new(database.store.clone(), AuthorityConfig::sample());
        Site {
            database,
            folder: Folder::new(),
            authority,
        }
    }

    fn keys(&self) -> Keystore {
        software(&self.folder.path().join("keys"))
    }

    /// Runs `act` in a process that dies at `point`; `false` if it never got there.
    fn die(&self, act: &str, point: &str, public_key: Option<&PublicKey>) -> bool {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::second_process", "--nocapture"])
            .env(DATABASE, &self.database.url)
            .env(KEYS, self.folder.path().join("keys"))
            .env(ACT, act)
            .env(
                PUBLIC_KEY,
                public_key
                    .map(|key| hex::encode(key.as_der()))
                    .unwrap_or_default(),
            )
            .env("KYSO_FAILPOINTS_ALLOWED", "yes")
            .env("KYSO_FAILPOINT", format!("{point}:abort"))
            .output()
            .unwrap();
        let killed = std::os::unix::process::ExitStatusExt::signal(&output.status).is_some();
        assert!(
            killed || output.status.success(),
            "{act} at {point}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        killed
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.database
            .store
            .one(sql, &[])
            .await
            .unwrap()
            .int("n")
            .unwrap()
    }

    /// What must be true after every recovery.
    async fn check(&self) {
        let reserved = self
            .count("-- t\nSELECT COUNT(*) AS n FROM certificate WHERE state = 'reserved'")
            .await;
        let lists = self
            .count("-- t\nSELECT COUNT(*) AS n FROM crl WHERE state = 'reserved'")
            .await;
        assert_eq!((reserved, lists), (0, 0), "nothing is left half done");
        let issued = self
            .count("-- t\nSELECT COUNT(*) AS n FROM certificate")
            .await;
        for kind in [
            "authority.certificate.reserved",
            "authority.certificate.issued",
        ] {
            let sql = "-- t\nSELECT COUNT(*) AS n FROM ledger_entry WHERE kind = $1";
            let lines = self
                .database
                .store
                .one(sql, &[kind.into()])
                .await
                .unwrap()
                .int("n")
                .unwrap();
            assert_eq!(lines, issued, "{kind}");
        }
    }
}

#[tokio::test]
async fn a_ceremony_killed_anywhere_goes_on_to_one_authority() {
    for site in Site::each().await {
        // Every kill hits the same installation at a later place, until only the last list is missing.
        for point in [
            "authority.key.before_keystore",
            "authority.key.after_keystore#2",
            "authority.prepare.before_commit",
            "authority.prepare.before_seal",
            "authority.prepare.after_seal",
            "authority.prepare.after_commit",
            "authority.issue.before_keystore",
            "authority.issue.after_keystore",
            "authority.issue.after_commit",
            "authority.key.before_keystore#2",
            "authority.prepare.after_commit#2",
            "authority.issue.after_keystore",
            "authority.key.after_keystore",
            "authority.crl.before_seal",
            "authority.crl.after_seal",
            "authority.crl.before_keystore",
            "authority.crl.after_keystore",
            "authority.crl.after_commit",
            "authority.crl.before_keystore",
        ] {
            assert!(site.die("ceremony", point, None), "{point}");
        }
        act("ceremony", &site.authority, &site.keys()).await;
        site.check().await;
        assert_eq!(
            site.count("-- t\nSELECT COUNT(*) AS n FROM certificate")
                .await,
            5
        );
        assert_eq!(
            site.count("-- t\nSELECT COUNT(*) AS n FROM service_key WHERE state = 'active'")
                .await,
            6
        );
        assert_eq!(site.count("-- t\nSELECT COUNT(*) AS n FROM crl").await, 2);
    }
}

#[tokio::test]
async fn a_request_killed_anywhere_ends_in_one_request() {
    let site = Site::on(Database::sqlite().await);
    for point in [
        "authority.key.after_keystore",
        "authority.request.before_keystore",
        "authority.request.after_keystore",
    ] {
        assert!(site.die("request", point, None), "{point}");
    }
    act("request", &site.authority, &site.keys()).await;
    assert_eq!(site.count("-- t\nSELECT COUNT(*) AS n FROM service_key WHERE state = 'made' AND request IS NOT NULL").await, 1);
}

#[tokio::test]
async fn issuing_killed_before_or_after_the_key_makes_one_certificate() {
    for site in Site::each().await {
        let keys = site.keys();
        act("ceremony", &site.authority, &keys).await;
        let (_, public_key) = keys
            .create_for_citizen(kyso_pki::algorithm::KeyAlgorithm::P256, "cred_1")
            .await
            .unwrap();
        for point in [
            "authority.prepare.before_commit",
            "authority.prepare.before_seal",
            "authority.prepare.after_seal",
            "authority.prepare.after_commit",
            "authority.issue.before_keystore",
            "authority.issue.after_keystore",
        ] {
            assert!(site.die("issue", point, Some(&public_key)), "{point}");
            assert!(
                site.authority
                    .certificate_for("cred_1")
                    .await
                    .unwrap()
                    .is_none(),
                "{point}: nothing left the process"
            );
        }
        // Nobody asks again: recovery finds it.
        assert_eq!(site.authority.recover(&keys).await.unwrap(), 1);
        let recovered = site
            .authority
            .certificate_for("cred_1")
            .await
            .unwrap()
            .unwrap();
        assert!(
            !site.die(
                "issue",
                "authority.issue.before_keystore",
                Some(&public_key)
            ),
            "issued: no key is asked again"
        );
        issue(&site.authority, &keys, public_key).await;
        assert_eq!(
            site.authority
                .certificate_for("cred_1")
                .await
                .unwrap()
                .unwrap()
                .certificate,
            recovered.certificate
        );
        site.check().await;
        assert_eq!(
            site.count("-- t\nSELECT COUNT(*) AS n FROM certificate WHERE kind = 'citizen'")
                .await,
            1
        );
    }
}

#[tokio::test]
async fn a_kill_after_the_commit_loses_only_the_reply() {
    for site in Site::each().await {
        let keys = site.keys();
        act("ceremony", &site.authority, &keys).await;
        let (_, public_key) = keys
            .create_for_citizen(kyso_pki::algorithm::KeyAlgorithm::P256, "cred_1")
            .await
            .unwrap();
        assert!(site.die("issue", "authority.issue.after_commit", Some(&public_key)));
        let first = site
            .authority
            .certificate_for("cred_1")
            .await
            .unwrap()
            .unwrap();
        issue(&site.authority, &keys, public_key).await;
        assert_eq!(
            site.authority
                .certificate_for("cred_1")
                .await
                .unwrap()
                .unwrap()
                .certificate,
            first.certificate
        );
        site.check().await;
    }
}

#[tokio::test]
async fn answering_killed_before_or_after_the_key_leaves_nothing_behind() {
    for site in Site::each().await {
        let keys = site.keys();
        act("ceremony", &site.authority, &keys).await;
        let (_, public_key) = keys
            .create_for_citizen(kyso_pki::algorithm::KeyAlgorithm::P256, "cred_1")
            .await
            .unwrap();
        issue(&site.authority, &keys, public_key).await;
        for point in [
            "authority.ocsp.before_keystore",
            "authority.ocsp.after_keystore",
        ] {
            assert!(site.die("answer", point, None), "{point}");
        }
        act("answer", &site.authority, &keys).await;
        site.check().await;
    }
}

#[tokio::test]
async fn publishing_killed_anywhere_goes_on_with_the_same_number() {
    for site in Site::each().await {
        let keys = site.keys();
        act("ceremony", &site.authority, &keys).await;
        let (_, public_key) = keys
            .create_for_citizen(kyso_pki::algorithm::KeyAlgorithm::P256, "cred_1")
            .await
            .unwrap();
        issue(&site.authority, &keys, public_key).await;
        for point in [
            "authority.crl.before_seal",
            "authority.crl.after_seal",
            "authority.crl.before_keystore",
            "authority.crl.after_keystore",
        ] {
            assert!(site.die("revoke", point, None), "{point}");
            assert_eq!(
                site.authority
                    .crl("issuing-1")
                    .await
                    .unwrap()
                    .unwrap()
                    .number,
                1
            );
        }
        assert!(site.die("revoke", "authority.crl.after_commit", None));
        act("revoke", &site.authority, &keys).await;
        // What a process that died had published is read a second later at the latest.
        site.database.clock.advance(1_000);
        let published = site.authority.crl("issuing-1").await.unwrap().unwrap();
        assert_eq!(
            (
                published.number,
                Crl::from_der(&published.der).unwrap().entries().len()
            ),
            (2, 1)
        );
        site.check().await;
    }
}
