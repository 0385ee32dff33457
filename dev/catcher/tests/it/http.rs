//! SMS, webhooks, the page.

use std::time::Duration;

use kyso_catcher::Catcher;
use serde_json::{Value, json};

async fn post(url: &str, token: &str, body: &Value) -> (u16, Value) {
    let answer = reqwest::Client::new()
        .post(url)
        .bearer_auth(token)
        .json(body)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null),
    )
}

async fn read(catcher: &Catcher, path: &str) -> Value {
    let url = format!("http://{}{path}", catcher.http_addr);
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

fn sms(text: &str, reference: &str) -> Value {
    json!({ "to": "+84900000001", "text": text, "reference": reference })
}

#[tokio::test]
async fn an_sms_is_taken_with_the_token_and_only_with_it() {
    let catcher = Catcher::start().await.unwrap();
    let url = catcher.sms_url();
    assert_eq!(post(&url, "wrong", &sms("493021", "r1")).await.0, 401);
    assert_eq!(post(&url, "", &sms("493021", "r1")).await.0, 401);
    let (status, answer) = post(&url, catcher.sms_token(), &sms("493021", "r1")).await;
    assert_eq!((status, answer["id"].as_str()), (200, Some("sms-1")));
    let (_, again) = post(&url, catcher.sms_token(), &sms("493021", "r1")).await;
    assert_eq!(again["id"], "sms-1");
    let listed = read(&catcher, "/messages?to=%2B84900000001").await;
    assert_eq!(listed["messages"].as_array().unwrap().len(), 1);
    assert_eq!(listed["messages"][0]["text"], "493021");
    assert_eq!(
        read(&catcher, "/messages?to=%2B84900000001&after=1").await,
        json!({ "messages": [] })
    );
}

#[tokio::test]
async fn a_malformed_sms_is_refused() {
    let catcher = Catcher::start().await.unwrap();
    for body in [
        json!([]),
        json!({ "to": "+84900000001" }),
        json!({ "to": "", "text": "x" }),
    ] {
        assert_eq!(
            post(&catcher.sms_url(), catcher.sms_token(), &body).await.0,
            400,
            "{body}"
        );
    }
}

#[tokio::test]
async fn the_gateway_fails_as_often_as_told() {
    let catcher = Catcher::start().await.unwrap();
    let faults = format!("http://{}/faults", catcher.http_addr);
    assert_eq!(post(&faults, "", &json!({ "sms": 2 })).await.0, 200);
    assert_eq!(post(&faults, "", &json!({ "sns": 2 })).await.0, 422);
    for expected in [503, 503, 200] {
        assert_eq!(
            post(&catcher.sms_url(), catcher.sms_token(), &sms("x", "r"))
                .await
                .0,
            expected
        );
    }
}

#[tokio::test]
async fn a_reader_waits_for_the_message() {
    let catcher = Catcher::start().await.unwrap();
    let url = format!("http://{}/messages?wait_ms=20000", catcher.http_addr);
    let reader = tokio::spawn(async move {
        reqwest::get(url)
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap()
    });
    post(&catcher.sms_url(), catcher.sms_token(), &sms("late", "r")).await;
    assert_eq!(reader.await.unwrap()["messages"][0]["text"], "late");
}

#[tokio::test]
async fn a_webhook_is_kept_with_headers_and_exact_body() {
    let catcher = Catcher::start().await.unwrap();
    let body = "{\"b\":1,  \"a\":\"ký\"}";
    let sent = reqwest::Client::new()
        .post(catcher.webhook_url("portal-a"))
        .header("X-Kyso-Signature", "t=1")
        .body(body);
    assert_eq!(sent.send().await.unwrap().status().as_u16(), 204);
    let hook = catcher
        .wait_for_webhook("portal-a", 0, Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(
        (
            hook.body.as_str(),
            hook.headers["x-kyso-signature"].as_str()
        ),
        (body, "t=1")
    );
    assert!(catcher.webhooks("portal-b").is_empty());
    assert_eq!(
        read(&catcher, "/webhooks/portal-a").await["webhooks"][0]["body"],
        body
    );
}

#[tokio::test]
async fn the_page_shows_messages_as_text_never_as_markup() {
    let catcher = Catcher::start().await.unwrap();
    post(
        &catcher.sms_url(),
        catcher.sms_token(),
        &sms("<script>alert(1)</script> 493021", "r"),
    )
    .await;
    let page = reqwest::get(format!("http://{}/", catcher.http_addr))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; 493021"));
    assert!(!page.contains("<script"));
}

#[tokio::test]
async fn another_host_name_is_turned_away() {
    let catcher = Catcher::start().await.unwrap();
    let asked = reqwest::Client::new()
        .get(format!("http://{}/messages", catcher.http_addr))
        .header("Host", "evil.example");
    assert_eq!(asked.send().await.unwrap().status().as_u16(), 421);
}
