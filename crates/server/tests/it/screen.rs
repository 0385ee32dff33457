//! A request on a portal's page, over HTTP: the page's own door, the phone in front of it, what each refusal is called.

use kyso_phone::Error;
use serde_json::Value;

use crate::harness::{Options, PIN, World, client, dossier};

fn code_of<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Refused { code, .. }) => code,
        other => format!("{other:?}"),
    }
}

/// What stands behind the `#`.
fn proof_in(url: &Value) -> String {
    let (_, proof) = url.as_str().unwrap().split_once('#').unwrap();
    proof.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_in_front_of_the_page_signs_and_no_other_way_does() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let citizen = world.citizen(1).await;
        let (phone, session) = (&citizen.phone, &citizen.session);
        let request = world.ask_on_screen(&citizen, &[dossier(1)]).await;
        let unopened = phone.approve(session, &request, PIN).await;
        assert_eq!(code_of(unopened), "request-unopened");

        // As a browser of another origin asks: first whether it may, then with the token.
        let screen = world.screen(&request).await;
        let url = format!("{}/v1/screens/{request}", world.node.url);
        let asked = client().request(reqwest::Method::OPTIONS, &url);
        let asked = asked
            .header("origin", "https://cong.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        let may = asked.send().await.unwrap();
        assert_eq!(may.status(), 204);
        assert_eq!(may.headers()["access-control-allow-origin"], "*");
        assert_eq!(
            may.headers()["access-control-allow-headers"],
            "authorization"
        );
        let page = client()
            .get(&url)
            .bearer_auth(screen["token"].as_str().unwrap());
        let page = page
            .header("origin", "https://cong.example")
            .send()
            .await
            .unwrap();
        assert_eq!(page.headers()["access-control-allow-origin"], "*");
        assert!(
            !page
                .headers()
                .contains_key("access-control-allow-credentials")
        );
        let shown: Value = page.json().await.unwrap();
        assert_eq!(shown["codes"].as_array().unwrap().len(), 5);
        assert!(
            shown["token"].is_null(),
            "a page hears its token from the portal alone"
        );
        let refused = client().get(&url).bearer_auth("AAAA").send().await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.headers()["access-control-allow-origin"], "*");

        let other = world.ask_on_screen(&citizen, &[dossier(2)]).await;
        let theirs = proof_in(&world.screen(&other).await["codes"][0]["url"]);
        assert_eq!(
            code_of(phone.open(session, &request, &theirs).await),
            "screen-code-wrong"
        );
        let proof = proof_in(&world.screen(&request).await["codes"][0]["url"]);
        let opened = phone.open(session, &request, &proof).await.unwrap();
        assert_eq!(opened["channel"], "qr");
        assert_eq!(
            code_of(phone.open(session, &request, &proof).await),
            "request-opened"
        );
        phone.approve(session, &request, PIN).await.unwrap();
        let ends = ["signed", "delivered"];
        phone.wait_request(session, &request, &ends).await.unwrap();
        assert!(
            world
                .signed_document(&request, 0)
                .await
                .starts_with(&dossier(1))
        );

        let screen = world.screen(&other).await;
        let wrong = if screen["digits"] == "10" { "11" } else { "10" };
        for code in [
            "digits-wrong",
            "digits-wrong",
            "digits-refused",
            "request-state",
        ] {
            let tried = phone.open_by_digits(session, &other, wrong).await;
            assert_eq!(code_of(tried), code);
        }
        assert_eq!(
            phone.see(session, &other).await.unwrap()["state"],
            "refused"
        );
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_element_is_served_to_any_page() {
    let world = World::sqlite().await;
    let url = format!("{}/elements/v1/kyso-sign.js", world.node.url);
    let element = client().get(url).send().await.unwrap();
    assert_eq!(element.status(), 200);
    assert_eq!(
        element.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(element.headers()["access-control-allow-origin"], "*");
    assert!(
        element
            .text()
            .await
            .unwrap()
            .contains("customElements.define('kyso-sign'")
    );
    let gone = format!("{}/elements/v2/kyso-sign.js", world.node.url);
    assert_eq!(client().get(gone).send().await.unwrap().status(), 404);
    world.finish().await;
}
