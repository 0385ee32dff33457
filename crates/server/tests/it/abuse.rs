//! Abuse without compromise: whoever is slow, loud or many does not take the service from the others.

use std::time::Duration;

use kyso_pki::ocsp::{CertId, IdHash, Request, Response, Status};
use kyso_store::testing::Database;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Options, World, base64, client, dossier};

async fn world(server: &str) -> World {
    world_on(Database::sqlite().await, server).await
}

async fn world_on(database: Database, server: &str) -> World {
    let options = Options {
        server: server.to_owned(),
        ..Options::default()
    };
    World::on(database, options).await
}

/// A connection on which `text` has been sent.
async fn said(world: &World, text: &str) -> TcpStream {
    let address = world.node.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Waits until the other side has closed; what it said before.
async fn closed(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    let read = stream.read_to_end(&mut heard);
    let _ = tokio::time::timeout(Duration::from_secs(30), read)
        .await
        .expect("the connection is closed");
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_sockets_that_drip_take_nothing_from_the_others() {
    // Ten places: any slow sender that held one would be felt.
    let world = world("concurrency_max = 10\nheader_seconds_max = 2").await;
    let mut idle = Vec::new();
    let mut dripping = Vec::new();
    let head = "POST /v1/enrolments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for n in 0..500 {
        match n % 3 {
            0 => idle.push(said(&world, "").await),
            1 => idle.push(said(&world, "GET /livez HTTP/1.1\r\nX-Slow: ").await),
            _ => {
                dripping.push(said(&world, &format!("{head}Content-Length: 1000\r\n\r\n{{")).await)
            }
        }
    }
    for stream in &mut dripping {
        stream.write_all(b" ").await.unwrap();
    }
    for _ in 0..20 {
        let plans = client().get(format!("{}/v1/plans", world.node.url));
        let answer = plans.timeout(Duration::from_secs(5)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let kept = said(&world, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        closed(kept).await.ends_with("ok"),
        "an idle connection is closed after its answer"
    );
    for stream in idle {
        closed(stream).await;
    }
    let refused = closed(dripping.pop().unwrap()).await;
    assert!(
        refused.starts_with("HTTP/1.1 408") && refused.contains("request-too-slow"),
        "{refused}"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_refused_before_it_is_read_and_a_flowing_one_is_not() {
    let world = world("").await;
    let length = 200 * 1024 * 1024;
    let head = format!(
        "POST /v1/device-sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut stream = said(&world, &head).await;
    let part = vec![b' '; 64 * 1024];
    let mut sent = 0;
    while sent < 16 * 1024 * 1024 && stream.write_all(&part).await.is_ok() {
        sent += part.len();
    }
    assert!(
        sent < 16 * 1024 * 1024,
        "the server reads on after its bound"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_each_client_has_its_own_limit_and_cannot_choose_another_s() {
    let world = world(
        "rate_per_second = 1\nrate_burst = 5\ntrusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]",
    )
    .await;
    let ask = async |forwarded: &str| {
        let request = client().get(format!("{}/v1/plans", world.node.url));
        let answer = request
            .header("x-forwarded-for", forwarded)
            .send()
            .await
            .unwrap();
        let retry = answer.headers().contains_key("retry-after");
        (answer.status().as_u16(), retry)
    };
    let exhaust = async |forwarded: &str| {
        for _ in 0..8 {
            ask(forwarded).await;
        }
        ask(forwarded).await
    };
    assert_eq!(exhaust("203.0.113.1").await, (429, true));
    assert_eq!(ask("203.0.113.2").await.0, 200, "another client is not hit");
    assert_eq!(
        ask("203.0.113.77, 203.0.113.1").await.0,
        429,
        "the left is anybody's writing"
    );
    assert_eq!(
        ask("203.0.113.1, 10.1.1.1").await.0,
        429,
        "a chain of our proxies"
    );
    assert_eq!(exhaust("2001:db8:1:2::1").await, (429, true));
    assert_eq!(
        ask("2001:db8:1:2:ffff::9").await.0,
        429,
        "a /64 is one subscriber"
    );
    assert_eq!(ask("2001:db8:1:3::1").await.0, 200);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_trusted_proxy_the_header_is_not_believed() {
    let world = world("rate_per_second = 1\nrate_burst = 5").await;
    let mut refused = 0;
    for n in 0..12 {
        let request = client().get(format!("{}/v1/plans", world.node.url));
        let request = request.header("x-forwarded-for", format!("203.0.113.{n}"));
        refused += u32::from(request.send().await.unwrap().status() == 429);
    }
    assert!(refused >= 4, "{refused}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_polls_beyond_their_bound_are_answered_at_once() {
    for database in World::databases().await {
        polls_beyond_their_bound(world_on(database, "concurrency_max = 32").await).await;
    }
}

async fn polls_beyond_their_bound(world: World) {
    let citizen = world.citizen(1).await;
    let request = world.ask(&citizen, &[dossier(1)]).await;
    let url = format!("{}/v1/signature-requests/{request}", world.node.url);
    let look = |wait: u32| {
        client()
            .get(format!("{url}?wait={wait}"))
            .basic_auth(&world.portal.client_id, Some(&world.portal.secret))
            .send()
    };
    let mut polls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        polls.spawn(look(25));
    }
    // A quarter of sixteen may wait; the others hear at once when to come again.
    for _ in 0..16 {
        let answer = polls.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["retry-after"], "2");
        let shown: Value = answer.json().await.unwrap();
        assert_eq!(shown["state"], "pending");
    }
    assert_eq!(look(0).await.unwrap().status(), 200);
    citizen
        .phone
        .refuse(&citizen.session, &request, "not-me")
        .await
        .unwrap();
    while let Some(answer) = polls.join_next().await {
        let shown: Value = answer.unwrap().unwrap().json().await.unwrap();
        assert_eq!(shown["state"], "refused", "who waits hears of it");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_harmless_request_id_is_echoed_and_every_answer_is_guarded() {
    let world = world("").await;
    let ask = async |path: &str, id: &str| {
        let request = client().get(format!("{}{path}", world.node.url));
        request.header("x-request-id", id).send().await.unwrap()
    };
    let answer = ask("/v1/plans", "portal-4711.a_b").await;
    assert_eq!(answer.headers()["x-request-id"], "portal-4711.a_b");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    for deceptive in [
        "short",
        "a b c d e f g",
        "<script>alert(1)",
        &"x".repeat(65),
    ] {
        let answer = ask("/v1/plans", deceptive).await;
        let given = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(given.len(), 16, "{deceptive:?} became {given}");
    }
    let refused = ask("/v1/nowhere", "portal-4711").await;
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["instance"], json!("portal-4711"));
    world.finish().await;
}

/// One GET as it is written, with nothing made regular on the way: the head and the body.
async fn get_raw(world: &World, path: &str, more: &str) -> (String, Vec<u8>) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n");
    let mut stream = said(world, &head).await;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    let at = heard.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let body = heard.split_off(at + 4);
    (String::from_utf8(heard).unwrap().to_ascii_lowercase(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn ocsp_is_answered_in_every_spelling_cached_and_not_at_the_key_s_expense() {
    let world = world("").await;
    let authority = &world.platform.authority;
    let issuer = authority.chain().await.unwrap()[0].clone();
    let seal = authority.seal_certificate().await.unwrap();
    let serial = seal.certificate.unwrap().serial().clone();
    let id = CertId::of(IdHash::Sha1, &issuer, &serial).unwrap();
    let request = |count: usize, nonce: Option<Vec<u8>>| {
        let ids = vec![id.clone(); count];
        Request { ids, nonce }.to_der().unwrap()
    };
    let read = |der: &[u8]| {
        let read = Response::from_der(der).unwrap();
        read.verify(&issuer).unwrap();
        assert_eq!(read.answers()[0].status, Status::Good);
        read
    };

    let (nonce, spelled) = (0..=u8::MAX)
        .flat_map(|a| (0..=u8::MAX).map(move |b| vec![a, b, 0xff, 0xff, 0xfb, 0xef, 0xff, 0xff]))
        .map(|nonce| (nonce.clone(), base64(&request(1, Some(nonce)))))
        .find(|(_, text)| text.contains("//") && text.contains('+'))
        .unwrap();
    let percent = spelled
        .replace('/', "%2F")
        .replace('+', "%2B")
        .replace('=', "%3d");
    for path in [
        &spelled,
        &percent,
        &percent.replace("%2F", "%2f"),
        &spelled.replace('=', "%3D"),
    ] {
        let (head, body) = get_raw(&world, &format!("/ocsp/{path}"), "").await;
        assert!(
            head.starts_with("http/1.1 200") && head.contains("no-store"),
            "{head}"
        );
        assert_eq!(read(&body).nonce(), Some(nonce.as_slice()), "{path}");
    }

    let plain = format!("/ocsp/{}", base64(&request(1, None)));
    let (head, body) = get_raw(&world, &plain, "").await;
    read(&body);
    let tag = head
        .split("etag: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap();
    for said in [
        "public",
        "must-revalidate",
        "last-modified: ",
        "application/ocsp-response",
    ] {
        assert!(head.contains(said), "{said}: {head}");
    }
    let (_, again) = get_raw(&world, &plain, "").await;
    assert_eq!(again, body, "signed once");
    let (head, nothing) = get_raw(&world, &plain, &format!("If-None-Match: {tag}\r\n")).await;
    assert!(
        head.starts_with("http/1.1 304") && nothing.is_empty(),
        "{head}"
    );

    let post = async |octets: Vec<u8>| {
        let request = client()
            .post(format!("{}/ocsp", world.node.url))
            .body(octets);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap().to_vec()
    };
    let malformed = [0x30, 0x03, 0x0a, 0x01, 0x01];
    let huge = [&[0x30, 0x83, 0x10, 0x00, 0x00][..], &vec![4; 1 << 20]].concat();
    for wrong in [
        vec![],
        b"hello".to_vec(),
        huge,
        request(17, None),
        request(64, None),
    ] {
        assert_eq!(post(wrong).await, malformed);
    }

    // Sixty nonces at once: some are answered, the rest get what was signed for everybody.
    let mut left_out = 0;
    for n in 0..60 {
        let answer = read(&post(request(1, Some(vec![n; 32]))).await);
        match answer.nonce() {
            Some(echoed) => assert_eq!(echoed, [n; 32]),
            None => left_out += 1,
        }
    }
    assert!(left_out >= 20, "{left_out}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_answers_nobody_holds_up_nobody_else() {
    let world = world("").await;
    let citizen = world.citizen(1).await;
    let portals = &world.platform.signing.portals;
    let hole = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", hole.local_addr().unwrap());
    let id = portals
        .find(&world.portal.client_id)
        .await
        .unwrap()
        .unwrap()
        .id;
    portals.set_webhook(&id, Some(&url), "test").await.unwrap();
    let held = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = hole.accept().await {
            held.push(stream);
        }
    });
    // More than all places there are.
    let pdf = dossier(1);
    for _ in 0..40 {
        let request = world.ask(&citizen, std::slice::from_ref(&pdf)).await;
        let refused = citizen.phone.refuse(&citizen.session, &request, "other");
        refused.await.unwrap();
    }
    let ask = json!({
        "signer": { "identity_number": citizen.owner.identity_number },
        "documents": [{ "name": "a.pdf", "content": base64(&pdf) }],
    });
    let made = client()
        .post(format!("{}/v1/signature-requests", world.node.url))
        .basic_auth(
            &world.other_portal.client_id,
            Some(&world.other_portal.secret),
        )
        .json(&ask);
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let refused = citizen
        .phone
        .refuse(&citizen.session, made["id"].as_str().unwrap(), "other");
    refused.await.unwrap();
    let heard = world
        .catcher
        .wait_for_webhook("other", 0, Duration::from_secs(5))
        .await;
    assert!(
        heard.is_some(),
        "the other portal hears while the hole is silent"
    );
    held.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_an_event_is_one_line_of_the_log() {
    let world = world("").await;
    let nasty = "x\r\n{\"level\":\"ERROR\",\"forged\":1}\u{1b}[31m\u{202e}\u{0}";
    let sca = format!("{}/sca/sp769/v1", world.node.url);
    for body in [
        json!({ "sp_id": nasty, "sp_password": nasty, "user_id": nasty, "transaction_id": nasty }),
        json!({ "sp_id": world.portal.client_id, "sp_password": world.portal.secret, "user_id": nasty, "transaction_id": nasty,
                "sign_files": [{ "doc_id": nasty, "data_to_be_signed": "00".repeat(32) }] }),
    ] {
        for path in ["credentials/get_certificate", "signatures/sign"] {
            client()
                .post(format!("{sca}/{path}"))
                .json(&body)
                .send()
                .await
                .unwrap();
        }
    }
    let ask = json!({
        "signer": { "identity_number": nasty, "serial": nasty },
        "documents": [{ "name": nasty, "content": nasty }],
        "description": nasty, "return_url": nasty, nasty: nasty,
    });
    let refused = world
        .portal_post("/v1/signature-requests", &ask)
        .await
        .unwrap_err();
    assert!((400..500).contains(&refused.status), "{}", refused.problem);
    for path in [
        "/v1/%0d%0aforged%1b[31m",
        "/v1/enrolments/%E2%80%AEforged",
        "/ocsp/%0aforged",
    ] {
        get_raw(
            &world,
            path,
            "User-Agent: forged\u{e2}\u{80}\u{ae}\u{9b}31m\r\n",
        )
        .await;
    }
    let mut lines = 0;
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let deceptive = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!text.contains(deceptive), "{text}");
        for line in text.lines() {
            let event: Value = serde_json::from_str(line).expect("one event, one line");
            assert!(
                event["forged"].is_null() && event["timestamp"].is_string(),
                "{line}"
            );
            lines += 1;
        }
    }
    assert!(lines >= 3, "{lines}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_before_any_work() {
    let world = world("body_bytes_max = 2000000").await;
    let url = format!("{}/v1/signature-requests", world.node.url);
    let post = async |kind: &str, body: Vec<u8>| {
        let request = client().post(&url).header("content-type", kind).body(body);
        let request = request.basic_auth(&world.portal.client_id, Some(&world.portal.secret));
        let refused = crate::harness::read(request).await.unwrap_err();
        (refused.status, refused.code().to_owned())
    };
    let deep = [vec![b'['; 1_000_000], vec![b']'; 900_000]].concat();
    assert_eq!(
        post("application/json", deep).await,
        (400, "body-malformed".into())
    );
    let nested = format!(
        "{{\"signer\":{}1{}}}",
        "{\"a\":".repeat(100_000),
        "}".repeat(100_000)
    );
    assert_eq!(
        post("application/json", nested.into()).await,
        (400, "body-malformed".into())
    );
    let wide = format!("{{\"documents\":[{}]}}", vec!["{}"; 600_000].join(","));
    assert_eq!(
        post("application/json", wide.into()).await,
        (400, "body-malformed".into())
    );
    // Small to send, large to hold: stopped while it is read.
    let wide = format!(
        "{{\"documents\":[{}]}}",
        vec!["{\"name\":\"\"}"; 150_000].join(",")
    );
    assert_eq!(post("application/json", wide.into()).await.0, 400);
    let large = vec![b' '; 3_000_000];
    assert_eq!(
        post("application/json", large).await,
        (413, "body-too-large".into())
    );

    let part = |name: &str, text: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let multipart = "multipart/form-data; boundary=b";
    let many = format!("{}--b--\r\n", part("document", "x").repeat(20_000));
    let refused = post(multipart, many.into()).await;
    assert!(matches!(refused.0, 400 | 413 | 422), "{refused:?}");
    let large = format!("{}--b--\r\n", part("document", &"x".repeat(2_500_000)));
    assert_eq!(post(multipart, large.into()).await.0, 413);
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\nx\r\n--b--\r\n",
        "n".repeat(500_000)
    );
    let refused = post(multipart, head.into()).await;
    assert!(matches!(refused.0, 400 | 413), "{refused:?}");

    let signer = json!({ "identity_number": "079200000001" });
    let digest = |algorithm: &str, value: String| json!({ "name": "a", "digest": { "algorithm": algorithm, "value": value } });
    for documents in [
        json!([digest("sha-256", "00".repeat(31))]),
        json!([digest("sha-256", "00".repeat(33))]),
        json!([digest("sha-1", "00".repeat(20))]),
        json!([digest("md5", "00".repeat(16))]),
        json!([digest("sha-384", "00".repeat(32))]),
        json!([digest("sha-256", "zz".repeat(32))]),
    ] {
        let ask = json!({ "signer": signer, "documents": documents });
        let refused = world
            .portal_post("/v1/signature-requests", &ask)
            .await
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.code()),
            (400, "body-malformed"),
            "{documents}"
        );
    }
    world.finish().await;
}
