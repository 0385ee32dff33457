//! A phone in front of a server that lies: it must not sign, and seal no PIN.
#![allow(clippy::unwrap_used)]

mod institution;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use institution::{Institution, KIND, now, payload};
use kyso_phone::{DeviceKey, Error, Phone, Session};
use serde_json::{Value, json};

const DOCUMENT: &[u8] = b"%PDF-1.7 a dossier";

/// A server that shows `request`, serves `document`, and counts the approvals it is sent.
struct Server {
    phone: Phone,
    approvals: Arc<AtomicUsize>,
}

impl Server {
    async fn start(request: Value, document: &'static [u8]) -> Self {
        let institution = Institution::new();
        let key = institution.approval_key();
        Self::serving(request, document, institution.root, key).await
    }

    /// With the approval key of the test's choice, in front of a phone that knows `root`.
    async fn serving(
        request: Value,
        document: &'static [u8],
        root: [u8; 32],
        signed: String,
    ) -> Self {
        let approvals = Arc::new(AtomicUsize::new(0));
        let counted = approvals.clone();
        let own = URL_SAFE_NO_PAD.encode(DeviceKey::generate().unwrap().spki());
        let key = json!({ "key_id": "k", "public_key": own, "signed": signed });
        let routes = Router::new()
            .route(
                "/v1/citizen/signature-requests/{id}",
                get(move || async move { Json(request) }),
            )
            .route(
                "/v1/citizen/signature-requests/{id}/documents/{n}",
                get(move || async move { document }),
            )
            .route(
                "/v1/citizen/credential/approval-key",
                get(move || async move { Json(key) }),
            )
            .route(
                "/v1/citizen/signature-requests/{id}/approval",
                post(move |Json(body): Json<Value>| async move {
                    counted.fetch_add(1, Ordering::SeqCst);
                    Json(body)
                }),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let phone = Phone::new(&url, root).unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { phone, approvals }
    }

    async fn approve(&self) -> Result<Value, Error> {
        let session = Session {
            token: "t".into(),
            credential: "cred_1".into(),
        };
        self.phone.approve(&session, "req_1", "295173").await
    }

    fn approvals(&self) -> usize {
        self.approvals.load(Ordering::SeqCst)
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// An honest request for [`DOCUMENT`].
fn honest() -> Value {
    let mut request = json!({
        "id": "req_1", "credential": "cred_1", "portal": "portal_1", "portal_name": "Cổng thử", "nonce": "n",
        "documents": [{
            "position": 0, "name": "to-khai.pdf", "format": "pdf", "preview": "previewed",
            "document_digest": { "algorithm": "sha-256", "value": sha256(DOCUMENT) },
            "to_be_signed": { "algorithm": "sha-256", "value": sha256(b"attributes") },
        }],
    });
    request["code"] = code(&[sha256(DOCUMENT)]).into();
    request
}

/// The code as a portal computes it, written another way than the phone's.
fn code(digests: &[String]) -> String {
    let all = hex::decode(digests.concat()).unwrap();
    let bits: String = digest(&SHA256, &all).as_ref()[..5]
        .iter()
        .map(|byte| format!("{byte:08b}"))
        .collect();
    let letters: Vec<char> = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars().collect();
    let code: String = (0..8)
        .map(|n| letters[usize::from_str_radix(&bits[5 * n..5 * n + 5], 2).unwrap()])
        .collect();
    format!("{}-{}", &code[..4], &code[4..])
}

#[tokio::test]
async fn an_honest_request_is_approved_over_exactly_what_was_shown() {
    let server = Server::start(honest(), DOCUMENT).await;
    let sent = server.approve().await.unwrap();
    assert_eq!(server.approvals(), 1);
    let statement = URL_SAFE_NO_PAD
        .decode(sent["statement"].as_str().unwrap())
        .unwrap();
    let statement: Value = serde_json::from_slice(&statement).unwrap();
    assert_eq!(
        statement["documents"][0]["document_digest"],
        sha256(DOCUMENT)
    );
    assert_eq!(statement["code"], honest()["code"]);
    assert!(
        !sent.to_string().contains("295173"),
        "the PIN travels sealed"
    );
}

#[tokio::test]
async fn a_document_other_than_its_digest_is_not_signed() {
    let server = Server::start(honest(), b"%PDF-1.7 another").await;
    assert!(matches!(server.approve().await, Err(Error::Unsafe(_))));
    assert_eq!(server.approvals(), 0);
}

#[tokio::test]
async fn a_code_of_other_documents_is_not_signed() {
    let mut request = honest();
    request["code"] = "0000-0000".into();
    let server = Server::start(request, DOCUMENT).await;
    assert!(matches!(server.approve().await, Err(Error::Unsafe(_))));
    assert_eq!(server.approvals(), 0);
}

#[tokio::test]
async fn a_digest_that_pretends_to_have_been_seen_is_not_signed() {
    let mut request = honest();
    request["documents"][0]["format"] = "digest".into();
    let server = Server::start(request.clone(), DOCUMENT).await;
    assert!(matches!(server.approve().await, Err(Error::Unsafe(_))));
    request["documents"][0]["preview"] = "blind".into();
    let server = Server::start(request, DOCUMENT).await;
    server.approve().await.unwrap();
}

#[tokio::test]
async fn a_refusal_carries_the_stable_code() {
    let phone = Server::start(honest(), DOCUMENT).await.phone;
    match phone.open_session().await {
        Err(Error::Refused { status: 404, .. }) => {}
        other => panic!("{:?}", other.map(|session| session.credential)),
    }
}

/// What the phone says to an approval key, once it is sure that nothing was sent.
async fn refusal_of(root: [u8; 32], signed: String) -> &'static str {
    let server = Server::serving(honest(), DOCUMENT, root, signed).await;
    let outcome = server.approve().await;
    assert_eq!(server.approvals(), 0);
    match outcome {
        Err(Error::Unsafe(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_pin_is_sealed_to_a_key_that_the_institution_did_not_sign() {
    let (ours, theirs) = (Institution::new(), Institution::new());
    assert_eq!(
        refusal_of(ours.root, String::new()).await,
        "the approval key is not signed"
    );
    let foreign = theirs.approval_key();
    assert!(refusal_of(ours.root, foreign).await.contains("root"));
    // A foreign seal under a copy of our chain.
    let mut mixed = theirs.seal;
    mixed.chain.truncate(1);
    mixed.chain.extend_from_slice(&ours.seal.chain[1..]);
    let mixed = mixed.states(KIND, &payload(now()));
    assert!(refusal_of(ours.root, mixed).await.contains("chain"));
}

#[tokio::test]
async fn no_pin_is_sealed_to_a_key_that_somebody_else_under_the_root_signed() {
    let ours = Institution::new();
    for party in [&ours.citizen, &ours.responder] {
        let signed = party.states(KIND, &payload(now()));
        assert!(refusal_of(ours.root, signed).await.contains("seal"));
    }
    // A citizen as an authority over a seal of their own.
    let mut below = Institution::new().seal;
    below.chain.truncate(1);
    below.chain.extend_from_slice(&ours.citizen.chain);
    let signed = below.states(KIND, &payload(now()));
    assert!(refusal_of(ours.root, signed).await.contains("chain"));
}

#[tokio::test]
async fn no_pin_is_sealed_to_a_key_whose_statement_was_altered_or_is_old() {
    let ours = Institution::new();
    let signed = ours.approval_key();
    let parts: Vec<&str> = signed.split('.').collect();
    let other = URL_SAFE_NO_PAD.encode(payload(now()).to_string());
    let altered = [parts[0], &other, parts[2]].join(".");
    assert!(refusal_of(ours.root, altered).await.contains("signature"));

    let another = ours.seal.states("kyso.another.v1", &payload(now()));
    assert!(
        refusal_of(ours.root, another)
            .await
            .contains("not an approval key")
    );
    for days in [-8, 2] {
        let stale = payload(now() + days * 86_400_000);
        let stale = ours.seal.states(KIND, &stale);
        assert!(refusal_of(ours.root, stale).await.contains("lately"));
    }
}
