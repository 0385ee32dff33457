//! A citizen's history over the wire: page by page, by state, the signed file, and the proof that it is in the ledger.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::harness::{Citizen, Options, PIN, Refused, World, client, dossier, read};

#[tokio::test(flavor = "multi_thread")]
async fn a_citizen_looks_back_page_by_page_and_fetches_what_they_signed() {
    for database in World::databases().await {
        looks_back(World::on(database, Options::default()).await).await;
    }
}

async fn looks_back(world: World) {
    let (one, other) = (world.citizen(1).await, world.citizen(2).await);
    let mut asked = Vec::new();
    for number in 0..4 {
        asked.push(world.ask(&one, &[dossier(number)]).await);
    }
    for request in &asked[..2] {
        one.phone.approve(&one.session, request, PIN).await.unwrap();
        one.phone
            .wait_request(&one.session, request, &["signed", "delivered"])
            .await
            .unwrap();
    }
    one.phone
        .refuse(&one.session, &asked[2], "not-me")
        .await
        .unwrap();

    // The acceptance is the oldest.
    let all = ids(&list(&world, &one, "most=100").await);
    assert_eq!(all.len(), 5);
    assert!(asked.iter().rev().eq(&all[..4]));
    let mut paged = ids(&list(&world, &one, "most=2").await);
    for _ in 0..2 {
        let last = paged.last().unwrap();
        paged.extend(ids(
            &list(&world, &one, &format!("most=2&before={last}")).await
        ));
    }
    assert_eq!(paged, all);
    let signed = ids(&list(&world, &one, "state=signed,delivered").await);
    assert_eq!(signed, all[2..]);
    let first = list(&world, &one, "state=refused").await;
    assert_eq!(ids(&first), [asked[2].as_str()]);
    assert_eq!(
        ids(&list(&world, &one, "state=pending,approved").await),
        [asked[3].as_str()]
    );
    for query in ["state=done", "before=x"] {
        let path = format!("/v1/citizen/signature-requests?{query}");
        let refused = get(&world, &one, &path).await;
        assert_eq!(refused.unwrap_err().code(), "query-malformed");
    }
    assert_eq!(list(&world, &other, "most=100").await.len(), 1);

    let request = &asked[0];
    let path = format!("/v1/citizen/signature-requests/{request}");
    let signed = format!("{path}/documents/0/signed");
    let fetched = client()
        .get(format!("{}{signed}", world.node.url))
        .bearer_auth(&one.session.token);
    let fetched = fetched.send().await.unwrap().error_for_status().unwrap();
    assert_eq!(fetched.headers()["content-type"], "application/pdf");
    assert_eq!(fetched.headers()["cache-control"], "private, no-store");
    let bytes = fetched.bytes().await.unwrap();
    assert_eq!(bytes, world.signed_document(request, 0).await);
    assert_eq!(
        get(&world, &other, &signed).await.unwrap_err().code(),
        "not-found"
    );
    let proof = format!("{path}/proof");
    assert_eq!(
        get(&world, &other, &proof).await.unwrap_err().code(),
        "not-found"
    );
    for unsigned in &asked[2..] {
        let path = format!("/v1/citizen/signature-requests/{unsigned}");
        for what in ["documents/0/signed", "proof"] {
            let refused = get(&world, &one, &format!("{path}/{what}")).await;
            assert_eq!(refused.unwrap_err().code(), "request-state");
        }
    }
    is_proved(&world, &one, request).await;
    // Proofs are dear: a device has few of them, and everything else as before.
    let mut proofs = 0;
    while get(&world, &one, &proof).await.is_ok() {
        proofs += 1;
        assert!(proofs <= 60, "a device asks for as many proofs as it likes");
    }
    let refused = get(&world, &one, &proof).await.unwrap_err();
    assert_eq!(refused.code(), "rate-limited");
    list(&world, &one, "most=2").await;
    world.finish().await;
}

/// Waits for the seal and computes the way to the checkpoint, as anybody could.
async fn is_proved(world: &World, citizen: &Citizen, request: &str) {
    let path = format!("/v1/citizen/signature-requests/{request}/proof");
    let proof = loop {
        match get(world, citizen, &path).await {
            Ok(proof) if proof["position"].is_number() => break proof,
            Ok(_) => {}
            Err(refused) => assert_eq!(refused.code(), "rate-limited"),
        }
        tokio::task::yield_now().await;
    };
    let statement = URL_SAFE_NO_PAD.decode(text(&proof["statement"])).unwrap();
    let stated: Value = serde_json::from_slice(&statement).unwrap();
    assert_eq!(stated["request"], request);
    let shown = citizen.phone.see(&citizen.session, request).await.unwrap();
    assert_eq!(
        stated["documents"][0]["document_digest"],
        shown["documents"][0]["document_digest"]["value"]
    );
    let line = &proof["line"];
    assert_eq!(line["kind"], "signing.request.approved");
    assert_eq!(line["subject"], request);
    let detail: Value = serde_json::from_str(text(&line["detail"])).unwrap();
    assert_eq!(
        detail["statement"],
        hex::encode(digest(&SHA256, &statement))
    );

    let mut content = b"kyso.ledger.line.v1\n".to_vec();
    for field in ["id", "kind", "subject", "actor", "detail"] {
        content.extend((text(&line[field]).len() as u64).to_be_bytes());
        content.extend(text(&line[field]).bytes());
    }
    content.extend(line["at"].as_i64().unwrap().to_be_bytes());
    let position = proof["position"].as_i64().unwrap();
    let mut contents = vec![digest(&SHA256, &content).as_ref().to_vec()];
    for digest in proof["between"].as_array().unwrap() {
        contents.push(hex::decode(text(digest)).unwrap());
    }
    let mut hash = hex::decode(text(&proof["previous"])).unwrap();
    let mut size = position - 1;
    for content in contents {
        size += 1;
        let mut step = b"kyso.ledger.v1\n".to_vec();
        step.extend(&hash);
        step.extend(size.to_be_bytes());
        step.extend(content);
        hash = digest(&SHA256, &step).as_ref().to_vec();
    }
    let note: Vec<&str> = text(&proof["checkpoint"]).lines().collect();
    assert_eq!(note[1], size.to_string());
    assert_eq!(note[2], STANDARD.encode(hash));
}

async fn get(world: &World, citizen: &Citizen, path: &str) -> Result<Value, Refused> {
    let url = format!("{}{path}", world.node.url);
    read(client().get(url).bearer_auth(&citizen.session.token)).await
}

async fn list(world: &World, citizen: &Citizen, query: &str) -> Vec<Value> {
    let path = format!("/v1/citizen/signature-requests?{query}");
    let list = get(world, citizen, &path).await.unwrap();
    list.as_array().unwrap().clone()
}

fn ids(list: &[Value]) -> Vec<String> {
    list.iter().map(|one| text(&one["id"]).to_owned()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
