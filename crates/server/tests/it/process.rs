//! The process as those meet it who run it: it ends in good order, counts what it does, and writes no person into its log.

use kyso_store::testing::Database;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Node, Options, PIN, World, base64, client, dossier, until};
use crate::openssl::{keep_certificate, keep_chain, ocsp};

/// Reads from a connection until `word` has come; everything that came.
async fn hear(connection: &mut TcpStream, word: &str) -> String {
    let mut heard = Vec::new();
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(&heard).contains(word) {
        let length = connection.read(&mut part).await.unwrap();
        let so_far = String::from_utf8_lossy(&heard);
        assert!(length > 0, "the connection ended after: {so_far}");
        heard.extend_from_slice(&part[..length]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_finishes_an_upload_takes_no_other_call_and_exits_with_zero() {
    let mut world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let body = json!({
        "signer": { "identity_number": citizen.owner.identity_number },
        "documents": [{ "name": "a.pdf", "content": base64(&dossier(1)) }],
    })
    .to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let portal = format!("{}:{}", world.portal.client_id, world.portal.secret);
    let head = format!(
        "POST /v1/signature-requests HTTP/1.1\r\nhost: kyso\r\nauthorization: Basic {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        base64(portal.as_bytes()),
        body.len()
    );
    let address = world.node.url.trim_start_matches("http://").to_owned();
    let mut upload = TcpStream::connect(&address).await.unwrap();
    upload.write_all(head.as_bytes()).await.unwrap();
    // Whoever says this is reading the body.
    hear(&mut upload, "100 Continue").await;
    upload.write_all(first.as_bytes()).await.unwrap();

    world.node.terminate();
    until("nobody else is let in", async || {
        TcpStream::connect(&address).await.is_err()
    })
    .await;
    upload.write_all(second.as_bytes()).await.unwrap();
    let answer = hear(&mut upload, "\"id\"").await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    drop(upload);
    assert_eq!(world.node.exit_code(), Some(0), "{}", world.node.log());
    assert!(!world.node.log().contains("work unfinished"));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_answers_whoever_waits_for_a_signature() {
    let options = Options {
        server: "concurrency_max = 32".into(),
        ..Options::default()
    };
    let mut world = World::on(Database::sqlite().await, options).await;
    let citizen = world.citizen(1).await;
    let request = world.ask(&citizen, &[dossier(1)]).await;
    let url = format!("{}/v1/signature-requests/{request}?wait=25", world.node.url);
    let mut polls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let poll = client().get(&url);
        let poll = poll.basic_auth(&world.portal.client_id, Some(&world.portal.secret));
        polls.spawn(poll.send());
    }
    // Of sixteen, one portal may have four: when the fifth is answered, four wait.
    polls.join_next().await.unwrap().unwrap().unwrap();

    world.node.terminate();
    while let Some(answer) = polls.join_next().await {
        let answer = answer.unwrap().unwrap();
        assert_eq!(answer.headers()["retry-after"], "2");
        let shown: Value = answer.json().await.unwrap();
        assert_eq!(shown["state"], "pending");
    }
    assert_eq!(world.node.exit_code(), Some(0), "{}", world.node.log());
    assert!(!world.node.log().contains("work unfinished"));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_a_listener_of_their_own_and_move_with_what_happens() {
    let mut world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    keep_chain(&world).await;
    keep_certificate(&world, &citizen).await;
    world.node.stop();
    let listen = [("KYSO__SERVER__METRICS_LISTEN", "127.0.0.1:0")];
    world.node = Node::start_with(&world.folder, &listen).await;
    let operator = world.node.said("metrics");
    let fetch = async |path: &str| {
        let answer = client().get(path).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let counted = async |series: &str| -> f64 {
        let (status, text) = fetch(&format!("http://{operator}/metrics")).await;
        assert_eq!(status, 200);
        let line = text.lines().find(|line| line.starts_with(series));
        line.map_or(0.0, |line| {
            line.rsplit(' ').next().unwrap().parse().unwrap()
        })
    };
    let plans = "kyso_http_requests_total{method=\"GET\",route=\"/v1/plans\",status=\"200\"}";
    let timed = "kyso_http_request_seconds_count{route=\"/v1/plans\"}";
    for round in 0..3 {
        let now = (counted(plans).await, counted(timed).await);
        assert_eq!(now, (f64::from(round), f64::from(round)));
        assert_eq!(fetch(&format!("{}/v1/plans", world.node.url)).await.0, 200);
    }
    if ocsp(&world, &world.node.url).is_some() {
        assert!(counted("kyso_ocsp_answers_total{").await >= 1.0);
    }
    // What is behind, and what went wrong.
    let wrong = world.ask(&citizen, &[dossier(7)]).await;
    let phone = citizen.phone.at(&world.node.url);
    phone
        .approve(&citizen.session, &wrong, "314159")
        .await
        .unwrap();
    until("the wrong PIN is counted", async || {
        counted("kyso_pin_failures_total{at=\"approval\"}").await >= 1.0
    })
    .await;
    assert_eq!(counted("kyso_pin_locks_total{at=\"approval\"}").await, 0.0);
    until("what is behind was measured", async || {
        counted("kyso_crl_next_update_seconds{issuer=\"issuing-1\"}").await > 3_600.0
    })
    .await;
    let (_, text) = fetch(&format!("http://{operator}/metrics")).await;
    for series in [
        "kyso_crl_age_seconds{issuer=\"issuing-1\"}",
        "kyso_jobs_waiting{kind=\"signing.sign\"}",
        "kyso_jobs_oldest_seconds{kind=\"signing.sign\"}",
        "kyso_jobs_failed{kind=\"registration.notify\"}",
        "kyso_webhook_backlog ",
        "kyso_ledger_uncovered_entries ",
        "kyso_ledger_checkpoint_lag_seconds ",
        "# HELP kyso_ledger_checkpoint_lag_seconds ",
    ] {
        assert!(text.contains(series), "{series}: {text}");
    }
    // Routes, never paths: what is in a path may say who.
    let request = world.ask(&citizen, &[dossier(1)]).await;
    let shown = client()
        .get(format!(
            "{}/v1/signature-requests/{request}",
            world.node.url
        ))
        .basic_auth(&world.portal.client_id, Some(&world.portal.secret))
        .send();
    assert_eq!(shown.await.unwrap().status(), 200);
    let (_, text) = fetch(&format!("http://{operator}/metrics")).await;
    assert!(
        text.contains("\"/v1/signature-requests/{id}\"") && !text.contains(&request),
        "{text}"
    );
    assert_eq!(fetch(&format!("{}/metrics", world.node.url)).await.0, 404);
    for path in ["livez", "readyz"] {
        assert_eq!(
            fetch(&format!("http://{operator}/{path}")).await.0,
            200,
            "{path}"
        );
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_whole_mission_names_nobody_and_holds_no_secret_even_in_debug() {
    let mut world = World::on(Database::sqlite().await, Options::default()).await;
    world.node.stop();
    world.node = Node::start_with(&world.folder, &[("KYSO__LOG__FILTER", "debug")]).await;
    let citizen = world.citizen(1).await;
    world.signed(&citizen, &[dossier(1)]).await;
    let request = world.ask(&citizen, &[dossier(2)]).await;
    let wrong = citizen.phone.approve(&citizen.session, &request, "135790");
    wrong.await.unwrap();
    until("the wrong PIN is told", async || {
        let shown = citizen.phone.see(&citizen.session, &request).await.unwrap();
        shown["tries_left"] == 4 || shown["state"] == "pending"
    })
    .await;
    world.node.stop();

    let log = world.node.log();
    assert!(log.contains("\"DEBUG\""), "nothing was logged in debug");
    let owner = &citizen.owner;
    let mut hidden = vec![
        owner.full_name.as_str(),
        &owner.identity_number,
        &owner.phone,
        owner.phone.trim_start_matches("+84"),
        owner.phone.trim_start_matches('0'),
        &owner.email,
        owner.address["detail"].as_str().unwrap(),
        &citizen.session.token,
        &citizen.enrolment.token,
        &world.portal.secret,
        &world.officer,
    ];
    hidden.retain(|text| !text.is_empty());
    for text in hidden {
        assert!(
            !log.contains(text),
            "`{text}` stands in the log: {}",
            around(&log, text)
        );
    }
    let messages = world.catcher.all_messages(0);
    let mut digits: Vec<&str> = vec![PIN, "135790"];
    for message in &messages {
        let runs = message.text.split(|c: char| !c.is_ascii_digit());
        digits.extend(runs.filter(|run| run.len() == 6));
    }
    assert!(
        digits.len() >= 4,
        "an activation code and a binding code were sent"
    );
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        // A time may hold any six digits.
        for (_, text) in line
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != "timestamp")
        {
            let text = text.as_str().unwrap_or_default();
            let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
            let found = words.find(|word| digits.contains(word));
            assert_eq!(found, None, "a PIN or code in: {text}");
        }
    }
    world.check().await;
}

/// The line in which `text` stands.
fn around<'a>(log: &'a str, text: &str) -> &'a str {
    log.lines()
        .find(|line| line.contains(text))
        .unwrap_or_default()
}
