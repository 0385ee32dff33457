//! What a developer at a portal stumbles over first: who they have to be, what is wrong with a body, where a code is
//! explained.

use serde_json::{Value, json};

use crate::harness::{World, client, read};

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_told_how_to_say_who_they_are_and_what_is_wrong_with_a_body() {
    let world = World::sqlite().await;
    let url = |path: &str| format!("{}{path}", world.node.url);
    let challenge = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        answer.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let requests = url("/v1/signature-requests");
    let basic = "Basic realm=\"kyso\", charset=\"UTF-8\"";
    assert_eq!(challenge(client().post(&requests)).await, basic);
    let wrong = client().post(&requests).basic_auth("nobody", Some("x"));
    assert_eq!(challenge(wrong).await, basic);
    let citizen = url("/v1/citizen/credential");
    assert_eq!(
        challenge(client().get(&citizen)).await,
        "Bearer realm=\"kyso\""
    );
    assert_eq!(
        challenge(client().get(&citizen).bearer_auth("x")).await,
        "Bearer realm=\"kyso\", error=\"invalid_token\""
    );

    let named = async |path: &str, body: &Value| {
        let request = client().post(url(path));
        let request = request.basic_auth(&world.portal.client_id, Some(&world.portal.secret));
        let refused = read(request.json(body)).await.unwrap_err();
        let error = &refused.problem["errors"][0];
        (
            refused.status,
            error["pointer"].clone(),
            error["code"].clone(),
        )
    };
    for (body, pointer, code) in [
        (json!({}), "/signer", "missing"),
        (
            json!({ "signer": {} }),
            "/signer/identity_number",
            "missing",
        ),
        (
            json!({ "signer": { "identity_number": "1", "nr": 1 } }),
            "/signer/nr",
            "unknown-field",
        ),
        (
            json!({ "signer": { "identity_number": "1" }, "documents": [{ "name": 7 }] }),
            "/documents/0/name",
            "shape",
        ),
    ] {
        let found = named("/v1/signature-requests", &body).await;
        assert_eq!(found, (400, json!(pointer), json!(code)), "{body}");
    }
    let refused = read(client().post(url("/v1/enrolments")).json(&json!({})))
        .await
        .unwrap_err();
    assert_eq!((refused.status, refused.code()), (422, "fields-invalid"));
    assert_eq!(refused.problem["errors"][0]["field"], "plan");
    assert_eq!(refused.problem["errors"][0]["code"], "required");

    let kind = refused.problem["type"].as_str().unwrap();
    assert_eq!(kind, "/errors/fields-invalid");
    for (path, part) in [
        (kind, "In English"),
        ("/errors", "/errors/fields-invalid"),
        ("/cps", "authority.cps_file"),
    ] {
        let answer = client().get(url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(
            policy.contains("style-src 'sha256-") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(answer.text().await.unwrap().contains(part), "{path}");
    }
    assert_eq!(
        client()
            .get(url("/errors/none"))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_own_statement_is_served() {
    let options = crate::harness::Options {
        configuration: "[authority]\ncps_file = \"cps.pdf\"\n".into(),
        ..Default::default()
    };
    let database = kyso_store::testing::Database::sqlite().await;
    let world = World::on(database, options).await;
    std::fs::write(world.folder.path().join("cps.pdf"), "%PDF-1.7 ours").unwrap();
    let url = format!("{}/cps", world.node.url);
    let answer = client().get(&url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/pdf");
    assert_eq!(answer.text().await.unwrap(), "%PDF-1.7 ours");
    world.finish().await;
}
