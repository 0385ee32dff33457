//! Abuse without compromise: whoever is slow, loud or many does not take the service from the others.

use std::time::Duration;

use kyso_pki::ocsp::{CertId, IdHash, Request, Response, Status};
use kyso_store::testing::Database;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Options, World, base64, client, dossier};

async fn world(server: &str) -> World {
    let options = Options {
        server: server.to_owned(),
        ..Options::default()
    };
    World::on(Database::sqlite().await, options).await
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
    let world = world("concurrency_max = 32").await;
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
