//! Ceremonies: with our own root, with an outside one, interrupted, repeated, refused.

use std::sync::Mutex;

use kyso_authority::ceremony::{Plan, Progress, Root, Step};
use kyso_authority::{Error, ImportFault};
use kyso_keystore::Role;
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_store::Clock;

use crate::harness::{DAY_MS, Institution, YEAR_MS};
use crate::openssl::Judge;

#[tokio::test]
async fn a_ceremony_makes_a_chain_that_openssl_accepts_strictly() {
    let Some(judge) = Judge::call() else { return };
    for institution in Institution::each_without_ceremony().await {
        let told = Mutex::new(Vec::new());
        let watcher = |progress: Progress| told.lock().unwrap().push(progress);
        let held = institution
            .authority
            .ceremony(&institution.keys, &Plan::elliptic(), &watcher)
            .await
            .unwrap();

        judge.write_chain(&held.chain);
        judge.write_crl(
            "root.crl",
            &institution.authority.crl("root-1").await.unwrap().unwrap(),
        );
        judge.write_crl(
            "issuing.crl",
            &institution
                .authority
                .crl("issuing-1")
                .await
                .unwrap()
                .unwrap(),
        );
        for role in [Role::Issuing, Role::Timestamp, Role::Seal, Role::Ocsp] {
            let service = institution.authority.service(role).await.unwrap();
            judge.write("service.pem", service.certificate.unwrap().to_pem());
            let (content, said) = judge.verify("service.pem", institution.now());
            assert!(content, "{role}: {said}");
        }
        assert!(
            institution
                .authority
                .ledger_key()
                .await
                .unwrap()
                .certificate
                .is_none()
        );

        let told = told.into_inner().unwrap();
        assert_eq!(told.last().unwrap().step, Step::Finished);
        assert_eq!(told.last().unwrap().done, told.last().unwrap().of);
        assert!(
            told.windows(2).all(|pair| pair[0].done < pair[1].done),
            "{told:?}"
        );
        for word in [
            "KEY root-1",
            "KEY ledger-1",
            "certificate SHA-256",
            "revocation list",
            "Witnesses",
        ] {
            assert!(
                held.transcript.contains(word),
                "{word} is missing in\n{}",
                held.transcript
            );
        }
        assert_eq!(institution.lines("authority.certificate.issued").await, 5);
        assert_eq!(institution.lines("authority.key.made").await, 6);
    }
}

#[tokio::test]
async fn validities_are_those_of_the_law() {
    let institution = Institution::one().await;
    let held = institution.hold().await;
    let years = |certificate: &kyso_pki::certificate::Certificate| {
        (certificate.not_after() - certificate.not_before()) / YEAR_MS
    };
    assert_eq!(years(&held.chain[1]), 25);
    assert_eq!(years(&held.chain[0]), 10);
    for (role, life) in [(Role::Timestamp, 5), (Role::Seal, 3), (Role::Ocsp, 1)] {
        let service = institution.authority.service(role).await.unwrap();
        assert_eq!(years(&service.certificate.unwrap()), life, "{role}");
    }
}

#[tokio::test]
async fn a_ceremony_held_twice_changes_nothing_and_another_plan_is_refused() {
    for institution in Institution::each().await {
        let first = institution.hold().await;
        let again = institution.hold().await;
        assert_eq!(first.chain, again.chain);
        let other = Plan {
            issuing: KeyAlgorithm::P384,
            ..Plan::elliptic()
        };
        let refused = institution
            .authority
            .ceremony(&institution.keys, &other, &|_| ())
            .await;
        assert!(
            matches!(
                refused,
                Err(Error::CeremonyHeld {
                    role: Role::Issuing
                })
            ),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_key_that_nobody_planned_stops_the_ceremony() {
    let institution = Institution::each_without_ceremony().await.remove(0);
    institution
        .keys
        .create_for_service(Role::Issuing, "issuing-1", KeyAlgorithm::P256)
        .await
        .unwrap();
    for _ in 0..2 {
        let refused = institution
            .authority
            .ceremony(&institution.keys, &Plan::elliptic(), &|_| ())
            .await;
        assert!(
            matches!(
                refused,
                Err(Error::Keystore(kyso_keystore::Error::LabelTaken { .. }))
            ),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn before_a_ceremony_every_verb_says_so() {
    for institution in Institution::each_without_ceremony().await {
        let order = institution.order("cred_1").await;
        let refused = institution
            .authority
            .prepare(&institution.keys, &order)
            .await;
        assert!(
            matches!(
                refused,
                Err(Error::NoServiceKey {
                    role: Role::Issuing
                })
            ),
            "{refused:?}"
        );
        assert!(matches!(
            institution.authority.chain().await,
            Err(Error::NoServiceKey { .. })
        ));
        assert!(
            institution
                .authority
                .issuer_certificate("issuing-1")
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            institution
                .authority
                .crl("issuing-1")
                .await
                .unwrap()
                .is_none()
        );
        assert!(institution.authority.schedule().await.unwrap().is_empty());
        let answer = institution
            .authority
            .answer(&institution.keys, b"\x30\x00", institution.now())
            .await;
        assert_eq!(answer.outcome, "malformed");
    }
}

#[tokio::test]
async fn two_ceremonies_at_once_leave_one_authority() {
    for institution in Institution::each_without_ceremony().await {
        let other = institution.another_node().await;
        let (plan, watcher) = (Plan::elliptic(), |_: Progress| ());
        let (one, two) = tokio::join!(
            institution
                .authority
                .ceremony(&institution.keys, &plan, &watcher),
            other.ceremony(&institution.keys, &plan, &watcher)
        );
        // Whoever met the other in the middle may have to ask again; both then tell of the same chain.
        for outcome in [&one, &two] {
            if let Err(error) = outcome {
                assert!(
                    matches!(
                        error,
                        Error::Store(_) | Error::Keystore(_) | Error::CeremonyHeld { .. }
                    ),
                    "{error:?}"
                );
            }
        }
        let chain = institution.hold().await.chain;
        assert_eq!(
            other
                .ceremony(&institution.keys, &plan, &watcher)
                .await
                .unwrap()
                .chain,
            chain
        );
        let sql = "-- test.n\nSELECT COUNT(*) AS n FROM certificate";
        assert_eq!(institution.count(sql, &[]).await, 5);
    }
}

#[tokio::test]
async fn a_renewed_responder_answers_in_the_place_of_the_old_one() {
    for institution in Institution::each().await {
        assert!(
            institution
                .authority
                .renew_responder_if_due(&institution.keys)
                .await
                .unwrap()
                .is_none()
        );
        let before = institution.authority.service(Role::Ocsp).await.unwrap();
        institution.database.clock.advance(250 * DAY_MS);
        let due = institution.authority.schedule().await.unwrap();
        assert!(
            due.contains(&kyso_authority::Task::RenewResponder),
            "{due:?}"
        );
        let after = institution
            .authority
            .renew_responder_if_due(&institution.keys)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (before.label.as_str(), after.label.as_str()),
            ("ocsp-1", "ocsp-2")
        );
        assert_ne!(before.public_key, after.public_key);
        assert_eq!(
            institution
                .authority
                .service(Role::Ocsp)
                .await
                .unwrap()
                .label,
            "ocsp-2"
        );
        assert!(
            institution
                .authority
                .renew_responder_if_due(&institution.keys)
                .await
                .unwrap()
                .is_none()
        );
    }
}

const EXTENSIONS: &str = "basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
certificatePolicies=1.3.6.1.4.1.99999.1.1.1
authorityInfoAccess=caIssuers;URI:http://root.example/root.cer
crlDistributionPoints=URI:http://root.example/root.crl
";

/// An outside root made by OpenSSL, and its answers to requests.
struct OutsideRoot {
    judge: Judge,
}

impl OutsideRoot {
    fn make() -> Option<OutsideRoot> {
        let judge = Judge::call()?;
        let (made, said) = judge.openssl_args(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:3072",
            "-nodes",
            "-keyout",
            "outside.key",
            "-out",
            "outside.pem",
            "-days",
            "9000",
            "-subj",
            "/C=VN/O=Outside/CN=Outside National Root",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]);
        assert!(made, "{said}");
        Some(OutsideRoot { judge })
    }

    fn sign(&self, request: &str, extensions: &str) -> String {
        self.judge.write("request.csr", request);
        self.judge.write("extensions.cnf", extensions);
        self.judge.content(
            "x509 -req -in request.csr -CA outside.pem -CAkey outside.key -days 3000 -sha256 -set_serial 0x5a0102030405060708090a0b0c0d0e0f \
             -extfile extensions.cnf -out answer.pem",
        );
        self.judge.read_text("answer.pem")
    }

    fn root(&self) -> String {
        self.judge.read_text("outside.pem")
    }
}

fn outside_plan() -> Plan {
    Plan {
        root: Root::Outside,
        ..Plan::elliptic()
    }
}

#[tokio::test]
async fn an_outside_root_certifies_us_and_the_whole_chain_verifies() {
    let Some(outside) = OutsideRoot::make() else {
        return;
    };
    for institution in Institution::each_without_ceremony().await {
        institution.database.clock.set(Clock::System.now() + 60_000);
        let (authority, keys) = (&institution.authority, &institution.keys);
        let refused = authority
            .import(keys, &outside_plan(), &outside.root(), &|_| ())
            .await;
        assert!(
            matches!(refused, Err(Error::NothingToImport)),
            "{refused:?}"
        );

        let asked = authority
            .ceremony(keys, &outside_plan(), &|_| ())
            .await
            .unwrap();
        let request = asked.request_pem.unwrap();
        assert!(asked.transcript.contains("REQUEST TO THE OUTSIDE ROOT"));
        assert!(asked.chain.is_empty());
        let again = authority
            .ceremony(keys, &outside_plan(), &|_| ())
            .await
            .unwrap();
        assert_eq!(
            again.request_pem.as_ref(),
            Some(&request),
            "a second call hands out the same request"
        );
        outside.judge.write("request.csr", &request);
        outside.judge.content("req -in request.csr -verify -noout");

        let answer = outside.sign(&request, EXTENSIONS);
        let pem = format!("{}{answer}", outside.root());
        let held = authority
            .import(keys, &outside_plan(), &pem, &|_| ())
            .await
            .unwrap();
        assert_eq!(held.chain.len(), 2);
        assert!(
            held.transcript.contains("OUTSIDE ROOT"),
            "{}",
            held.transcript
        );
        let again = authority
            .import(keys, &outside_plan(), &pem, &|_| ())
            .await
            .unwrap();
        assert_eq!(
            again.chain, held.chain,
            "the same answer again changes nothing"
        );
        assert_eq!(institution.lines("authority.certificate.imported").await, 1);

        let mut order = institution.order("cred_1").await;
        order.plan_ends_at = institution.now() + YEAR_MS;
        let prepared = authority.prepare(keys, &order).await.unwrap();
        let issued = authority.issue(keys, prepared).await.unwrap();
        outside.judge.write("leaf.pem", issued.certificate.to_pem());
        outside.judge.write("issuing.pem", held.chain[0].to_pem());
        outside.judge.write_crl(
            "issuing.crl",
            &authority.crl("issuing-1").await.unwrap().unwrap(),
        );
        outside.judge.content(&format!(
            "verify -x509_strict -crl_check -attime {} -CAfile outside.pem -untrusted issuing.pem -CRLfile issuing.crl leaf.pem",
            institution.now() / 1_000 + 1
        ));
        let issuing = authority
            .service(Role::Issuing)
            .await
            .unwrap()
            .certificate_id
            .unwrap();
        let refused = authority
            .revoke(issuing, kyso_authority::Reason::KeyCompromise, "officer")
            .await;
        assert!(matches!(refused, Err(Error::NotOurs { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn what_an_outside_root_may_not_send_is_refused_and_the_request_still_waits() {
    let Some(outside) = OutsideRoot::make() else {
        return;
    };
    let institution = Institution::each_without_ceremony().await.remove(0);
    institution.database.clock.set(Clock::System.now() + 60_000);
    let (authority, keys) = (&institution.authority, &institution.keys);
    let request = authority
        .ceremony(keys, &outside_plan(), &|_| ())
        .await
        .unwrap()
        .request_pem
        .unwrap();
    let good = outside.sign(&request, EXTENSIONS);
    let leaf = outside.sign(
        &request,
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n",
    );
    let loose = outside.sign(
        &request,
        "basicConstraints=CA:TRUE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    );
    let other_root = OutsideRoot::make().unwrap().root();
    let root = outside.root();

    let import =
        async |pem: String| match authority.import(keys, &outside_plan(), &pem, &|_| ()).await {
            Err(Error::Import { fault }) => fault,
            other => panic!("{other:?}"),
        };
    assert_eq!(import(root.clone()).await, ImportFault::OtherKey);
    assert_eq!(
        import(format!("{root}{leaf}")).await,
        ImportFault::NotAnAuthority
    );
    assert_eq!(import(good.clone()).await, ImportFault::NoChain);
    assert_eq!(
        import(format!("{good}{other_root}")).await,
        ImportFault::NoChain
    );
    assert!(matches!(
        import(format!("{loose}{root}")).await,
        ImportFault::Lint(_)
    ));
    let now = institution.now();
    institution.database.clock.set(now - DAY_MS);
    assert!(matches!(
        import(format!("{good}{root}")).await,
        ImportFault::NotCurrent { .. }
    ));
    institution.database.clock.set(now + 9 * YEAR_MS);
    assert!(matches!(
        import(format!("{good}{root}")).await,
        ImportFault::NotCurrent { .. }
    ));
    institution.database.clock.set(now);
    for garbage in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "hello",
    ] {
        assert!(
            authority
                .import(keys, &outside_plan(), garbage, &|_| ())
                .await
                .is_err(),
            "{garbage}"
        );
    }
    assert!(
        matches!(authority.chain().await, Err(Error::NoServiceKey { .. })),
        "nothing of it was taken in"
    );
    authority
        .import(keys, &outside_plan(), &format!("{good}{root}"), &|_| ())
        .await
        .unwrap();
}

#[tokio::test]
async fn every_verb_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let institution = Institution::one().await;
    let (authority, keys) = (&institution.authority, &institution.keys);
    let (plan, watcher) = (Plan::elliptic(), |_: Progress| ());
    let id = institution.issue("cred_1").await.id;
    is_send(authority.ceremony(keys, &plan, &watcher));
    is_send(authority.import(keys, &plan, "", &watcher));
    is_send(authority.revoke(id, kyso_authority::Reason::Superseded, ""));
    is_send(authority.work(keys, kyso_authority::Task::PublishCrl));
    is_send(authority.schedule());
    is_send(authority.chain());
    is_send(authority.crl("issuing-1"));
}
