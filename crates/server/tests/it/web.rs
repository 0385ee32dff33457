//! The citizen's application as a browser gets it from the binary.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{CAMPAIGN, World, client};

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_serves_the_application_and_never_html_for_an_interface() {
    let mut world = World::sqlite().await;
    let ask = async |method: Method, path: &str| {
        let url = format!("{}{path}", world.node.url);
        client().request(method, url).send().await.unwrap()
    };
    let header = |answer: &reqwest::Response, name: &str| {
        let value = answer.headers().get(name);
        value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    };

    for (method, path, status) in [
        (Method::GET, "/v1", 404),
        (Method::GET, "/v1/none", 404),
        (Method::DELETE, "/v1/plans", 405),
        (Method::GET, "/sca/none", 404),
        (Method::GET, "/crl/none", 404),
        (Method::GET, "/metrics", 404),
        (Method::GET, "/assets/none.js", 404),
    ] {
        let answer = ask(method, path).await;
        assert_eq!(answer.status(), status, "{path}");
        let kind = header(&answer, "content-type");
        assert_eq!(kind, "application/problem+json", "{path}");
    }

    let page = ask(Method::GET, "/c/vuon-lai-2026").await;
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(header(&page, "x-frame-options"), "DENY");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
    if !kyso_server::http::web::is_built() {
        assert_eq!(page.status(), 503);
        assert!(page.text().await.unwrap().contains("cargo xtask web"));
        assert!(std::env::var("KYSO_PEERS").as_deref() != Ok("required"));
        println!("skipped: web/citizen/dist");
        return world.finish().await;
    }
    assert_eq!(page.status(), 200);
    assert_eq!(header(&page, "cache-control"), "no-cache");
    let page = page.text().await.unwrap();
    let script = page.split("src=\"").nth(1).unwrap();
    let script = script.split('"').next().unwrap();
    let url = format!("{}{script}", world.node.url);
    let script = client().get(url).header("accept-encoding", "gzip, br");
    let script = script.send().await.unwrap();
    assert_eq!(script.status(), 200);
    assert_eq!(header(&script, "content-encoding"), "br");
    assert!(header(&script, "cache-control").ends_with("immutable"));
    assert_eq!(
        ask(Method::POST, "/home").await.status(),
        405,
        "nothing is posted to a screen"
    );

    // Who only works or answers for certificates has no screens.
    world.node.stop();
    let role = [("KYSO__SERVER__ROLE", "status")];
    world.node = crate::harness::Node::start_with(&world.folder, &role).await;
    let url = format!("{}/c/vuon-lai-2026", world.node.url);
    assert_eq!(client().get(url).send().await.unwrap().status(), 404);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_application_is_given_its_tokens_in_cookies_and_never_in_a_body() {
    let world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let call = async |method: Method, path: &str, cookie: &str| {
        let url = format!("{}{path}", world.node.url);
        let call = client().request(method, url).header("x-kyso-app", "1");
        let call = call.header("cookie", cookie).json(&json!({}));
        call.send().await.unwrap()
    };
    // Name and token of the cookie that an answer sets, which must be no script's and no other site's.
    let set = |answer: &reqwest::Response| {
        let line = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(line.ends_with("; HttpOnly; SameSite=Strict"), "{line}");
        line.split(';').next().unwrap().to_owned()
    };

    let begin = client().post(format!("{}/v1/enrolments", world.node.url));
    let begin = begin.json(&json!({ "campaign": CAMPAIGN }));
    let begun = begin.header("x-kyso-app", "1").send().await.unwrap();
    let cookie = set(&begun);
    let begun: Value = begun.json().await.unwrap();
    assert!(begun.get("session").is_none(), "{begun}");
    let shown = call(Method::GET, "/v1/enrolments/current", &cookie).await;
    let shown: Value = shown.json().await.unwrap();
    assert_eq!(shown["id"], begun["enrolment"]["id"]);
    // A phone that goes from hand to hand keeps nothing of whoever had it before.
    let left = call(Method::DELETE, "/v1/enrolments/current", &cookie).await;
    assert_eq!(left.status(), 204);
    assert_eq!(set(&left), "kyso-enrolment=");

    let first = format!("kyso-device={}", citizen.session.token);
    let rotated = call(Method::POST, "/v1/citizen/session/rotation", &first).await;
    let second = set(&rotated);
    assert!(second.starts_with("kyso-device=") && second != first);
    let rotated: Value = rotated.json().await.unwrap();
    assert!(rotated.get("token").is_none(), "{rotated}");
    let who = call(Method::GET, "/v1/citizen/session", &second).await;
    let who: Value = who.json().await.unwrap();
    assert_eq!(who["credential"], rotated["credential"]);
    assert!(who.get("token").is_none(), "{who}");

    let closed = call(Method::DELETE, "/v1/citizen/session", &second).await;
    assert_eq!(closed.status(), 204);
    assert_eq!(set(&closed), "kyso-device=");
    for gone in [first, second] {
        let refused = call(Method::GET, "/v1/citizen/session", &gone).await;
        assert_eq!(refused.status(), 401);
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_chosen_from_the_units_in_force() {
    let world = World::sqlite().await;
    let list = async |query: &str| {
        let url = format!("{}/v1/administrative-units{query}", world.node.url);
        let answer = client().get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{query}");
        answer.json::<Vec<Value>>().await.unwrap()
    };
    assert_eq!(list("").await.len(), 34);
    let commune = json!({ "code": "27190", "name": "Phường Vườn Lài" });
    assert!(list("?parent=79").await.contains(&commune));
    for none_below in ["27190", "00", "", "'"] {
        let found = list(&format!("?parent={none_below}")).await;
        assert!(found.is_empty(), "{none_below}");
    }
    world.finish().await;
}
