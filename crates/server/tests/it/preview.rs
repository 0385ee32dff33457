//! Pages as pictures: of what the citizen signs, of nothing else, and by a process that a hostile file gains nothing in.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use kyso_server::preview::child::RESERVE;
use reqwest::Response;

use crate::harness::{Citizen, World, client, dossier, until};

/// A PDF with these objects, the first being the catalogue.
fn pdf(objects: &[String]) -> Vec<u8> {
    let mut file = String::from("%PDF-1.7\n");
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let (start, count) = (file.len(), objects.len() + 1);
    file.push_str(&format!("xref\n0 {count}\n0000000000 65535 f \n"));
    for place in places {
        file.push_str(&format!("{place:010} 00000 n \n"));
    }
    file.push_str(&format!(
        "trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ));
    file.into_bytes()
}

/// One page with this content and these things to draw, from object 5 on.
fn page(content: &str, things: &[String]) -> Vec<u8> {
    let names: Vec<String> = (0..things.len())
        .map(|index| format!("/X{index} {} 0 R", index + 5))
        .collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 400] /Contents 4 0 R \
             /Resources << /XObject << {} >> >> >>",
            names.join(" ")
        ),
        stream("", content),
    ];
    objects.extend_from_slice(things);
    pdf(&objects)
}

fn stream(dictionary: &str, content: &str) -> String {
    format!(
        "<< {dictionary} /Length {} >>\nstream\n{content}\nendstream",
        content.len()
    )
}

/// Forms that each draw the next sixteen times: ten of them are a million million strokes.
fn endless() -> Vec<u8> {
    let form = |index: usize| {
        let content = match index {
            10 => "0 0 m 300 400 l S".to_owned(),
            _ => format!("/X{} Do ", index + 1).repeat(16),
        };
        let resources = format!(
            "/Resources << /XObject << /X{} {} 0 R >> >>",
            index + 1,
            index + 6
        );
        stream(
            &format!("/Type /XObject /Subtype /Form /BBox [0 0 300 400] {resources}"),
            &content,
        )
    };
    let forms: Vec<String> = (0..=10).map(form).collect();
    page("/X0 Do", &forms)
}

/// An image that says it is larger than any memory.
fn huge() -> Vec<u8> {
    let image = stream(
        "/Type /XObject /Subtype /Image /Width 2000000 /Height 2000000 /ColorSpace /DeviceRGB /BitsPerComponent 8 \
         /Filter /ASCIIHexDecode",
        "00>",
    );
    page("300 0 0 400 0 0 cm /X0 Do", &[image])
}

/// A form that draws itself.
fn bottomless() -> Vec<u8> {
    let form = stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 300 400] /Resources << /XObject << /X0 5 0 R >> >>",
        "/X0 Do /X0 Do",
    );
    page("/X0 Do", &[form])
}

async fn ask(world: &World, path: &str, token: &str, known: Option<&str>) -> Response {
    let call = client().get(format!("{}{path}", world.node.url));
    let call = call.bearer_auth(token);
    let call = match known {
        Some(tag) => call.header("if-none-match", tag),
        None => call,
    };
    call.send().await.unwrap()
}

fn of_request(request: &str, position: usize, page: usize, width: u32) -> String {
    format!(
        "/v1/citizen/signature-requests/{request}/documents/{position}/pages/{page}?width={width}"
    )
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_citizen_sees_each_page_of_what_is_to_be_signed_and_of_the_papers_of_the_enrolment() {
    let world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let Citizen {
        session, enrolment, ..
    } = &citizen;
    let request = world.ask(&citizen, &[dossier(1)]).await;
    let first = ask(
        &world,
        &of_request(&request, 0, 1, 700),
        &session.token,
        None,
    )
    .await;
    assert_eq!(first.status(), 200);
    assert!(header(&first, "content-type").starts_with("image/"));
    assert_eq!(header(&first, "cache-control"), "private, no-cache");
    let pages: usize = header(&first, "x-page-count").parse().unwrap();
    let tag = header(&first, "etag").to_owned();
    assert!(tag.ends_with("-1-720\""), "{tag}");
    let picture = first.bytes().await.unwrap();
    let path = of_request(&request, 0, 1, 720);
    let again = ask(&world, &path, &session.token, None).await;
    assert_eq!(again.bytes().await.unwrap(), picture);
    let known = ask(&world, &path, &session.token, Some(&tag)).await;
    assert_eq!(known.status(), 304);
    for (page, status) in [(0, 404), (pages, 200), (pages + 1, 404)] {
        let path = of_request(&request, 0, page, 360);
        let answer = ask(&world, &path, &session.token, None).await;
        assert_eq!(answer.status(), status, "page {page} of {pages}");
    }
    let none = ask(
        &world,
        &of_request(&request, 1, 1, 360),
        &session.token,
        None,
    )
    .await;
    assert_eq!(none.status(), 404);

    for paper in ["contract", "acceptance-record"] {
        let path = format!("/v1/enrolments/{}/{paper}/pages/1", enrolment.id);
        let answer = ask(&world, &path, &enrolment.token, None).await;
        assert_eq!(answer.status(), 200, "{paper}");
        assert!(header(&answer, "content-type").starts_with("image/"));
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_page_has_no_picture_and_nobody_else_waits_for_it() {
    let world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let token = &citizen.session.token;
    for (name, document) in [
        ("endless", endless()),
        ("huge", huge()),
        ("bottomless", bottomless()),
    ] {
        let request = world.ask(&citizen, &[document]).await;
        let path = of_request(&request, 0, 1, 360);
        for round in 0..2 {
            let refused = ask(&world, &path, token, None).await;
            assert_eq!(refused.status(), 422, "{name}, {round}");
            let problem: serde_json::Value = refused.json().await.unwrap();
            assert_eq!(problem["code"], "page-not-renderable", "{name}");
        }
        // The file itself is still there to be read.
        let file = format!("/v1/citizen/signature-requests/{request}/documents/0");
        assert_eq!(ask(&world, &file, token, None).await.status(), 200);
    }
    let request = world.ask(&citizen, &[dossier(2)]).await;
    let answer = ask(&world, &of_request(&request, 0, 1, 360), token, None).await;
    assert_eq!(answer.status(), 200);
    world.finish().await;
}

/// What the kernel says of a process.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_draws_has_given_up_everything_before_a_byte_of_the_file_is_read() {
    let child = who_draws("360");
    let about = |file: &str| {
        std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default()
    };
    until("the filter stands", async || {
        about("status").contains("Seccomp:\t2")
    })
    .await;
    assert!(about("status").contains("NoNewPrivs:\t1"));
    assert!(
        about("status").contains("Threads:\t1"),
        "no thread is left out"
    );
    let limits = about("limits");
    let most = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..]
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(most("Max file size"), "0");
    assert_eq!(most("Max open files"), "3");
    assert!(most("Max cpu time").parse::<u64>().unwrap() <= 10);
    assert!(most("Max address space").parse::<u64>().unwrap() <= 1 << 30);
    // The bound on memory is for the document: the allocator has not reserved it all beforehand.
    let status = about("status");
    let held = status.lines().find(|line| line.starts_with("VmSize:"));
    let held: u64 = held
        .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap();
    assert!(held < 1 << 19, "{held} KiB before the first byte");
    // Small, and so large that the allocator has to map more.
    for child in [child, who_draws("4000")] {
        let said = drawn(child);
        assert!(said.status.success(), "{:?}", said.status);
        assert!(said.stdout.starts_with(b"image/"));
    }
}

/// What a confined process may not do, each with what it does to try.
#[cfg(target_os = "linux")]
const TRIES: [(&str, fn()); 8] = [
    ("open", || drop(std::fs::File::open("/dev/null"))),
    ("socket", || {
        drop(std::net::UdpSocket::bind("127.0.0.1:0"));
    }),
    ("thread", || {
        let _ = std::thread::Builder::new().spawn(|| ());
    }),
    // SAFETY: a child would do nothing but end.
    ("fork", || unsafe {
        if libc::fork() == 0 {
            libc::_exit(0);
        }
    }),
    ("exec", || {
        use std::os::unix::process::CommandExt;
        let _ = Command::new("/proc/self/exe").exec();
    }),
    ("executable map", || {
        map(libc::PROT_EXEC, libc::MAP_ANONYMOUS, -1)
    }),
    ("file map", || map(libc::PROT_READ, 0, 0)),
    // SAFETY: one byte is read into one.
    ("read of fd 3", || unsafe {
        let mut byte = 0_u8;
        libc::read(3, (&raw mut byte).cast(), 1);
    }),
];

#[cfg(target_os = "linux")]
fn map(protection: libc::c_int, flags: libc::c_int, file: libc::c_int) {
    let flags = libc::MAP_PRIVATE | flags;
    // SAFETY: a new map anywhere, which nobody uses.
    unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, file, 0) };
}

/// One test process for each try: this very program, with the try in its environment.
#[cfg(target_os = "linux")]
#[test]
fn who_is_confined_opens_reaches_starts_and_runs_nothing_else() {
    use std::os::unix::process::ExitStatusExt;

    let end = |name: &str| {
        Command::new("/proc/self/exe")
            .args(["--exact", "preview::the_confined", "--ignored"])
            .env("KYSO_TEST_TRY", name)
            .env(RESERVE.0, RESERVE.1)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
    };
    // Who tries nothing ends as it wants to: it is the try that kills.
    assert_eq!(end("nothing").code(), Some(17));
    for (name, _) in TRIES {
        assert_eq!(end(name).signal(), Some(libc::SIGSYS), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "a process of its own, started by who_is_confined_opens_reaches_starts_and_runs_nothing_else"]
fn the_confined() {
    let Ok(name) = std::env::var("KYSO_TEST_TRY") else {
        return;
    };
    kyso_server::preview::confine::confine().unwrap();
    if let Some((_, attempt)) = TRIES.into_iter().find(|(known, _)| *known == name) {
        attempt();
    }
    // SAFETY: ends this process at once; what exit would do besides is not what is tried.
    unsafe { libc::_exit(17) }
}

/// Killed from outside, as for want of memory: that says nothing about the document, and is not kept.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_drawing_was_killed_is_drawn_when_it_is_asked_for_again() {
    let world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let token = citizen.session.token.clone();
    let server = world.node.id().to_string();
    let draws = |process: &std::path::Path| {
        let said = |file| std::fs::read(process.join(file)).unwrap_or_default();
        let status = String::from_utf8_lossy(&said("status")).into_owned();
        status.contains(&format!("PPid:\t{server}\n"))
            && said("cmdline").windows(8).any(|word| word == b"\0render\0")
    };
    // A page may be done before it is found.
    for n in 1..=20 {
        let request = world.ask(&citizen, &[dossier(n)]).await;
        let path = of_request(&request, 0, 1, 1080);
        let (url, bearer) = (format!("{}{path}", world.node.url), token.clone());
        let asked =
            tokio::spawn(
                async move { client().get(url).bearer_auth(bearer).send().await.unwrap() },
            );
        let mut killed = false;
        while !killed && !asked.is_finished() {
            for process in std::fs::read_dir("/proc").unwrap().flatten() {
                if draws(&process.path()) {
                    let id = process.file_name().into_string().unwrap();
                    let mut kill = Command::new("kill");
                    killed = kill.args(["-KILL", &id]).status().unwrap().success();
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let answer = asked.await.unwrap().status();
        if answer == 200 {
            continue;
        }
        assert!(killed);
        assert_eq!(answer, 500);
        assert_eq!(ask(&world, &path, &token, None).await.status(), 200);
        return world.finish().await;
    }
    panic!("no drawing process was found in time");
}

/// The process that draws the first page so wide, as the server starts it.
fn who_draws(width: &str) -> Child {
    let (name, value) = RESERVE;
    Command::new(env!("CARGO_BIN_EXE_kyso"))
        .args(["render", "1", width])
        .env_clear()
        .env(name, value)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What it answers when it is given a dossier.
fn drawn(mut child: Child) -> Output {
    let mut input = child.stdin.take().unwrap();
    input.write_all(&dossier(1)).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}
