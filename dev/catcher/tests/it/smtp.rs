//! Mail.

use std::time::Duration;

use kyso_catcher::{Catcher, Faults};
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn client(catcher: &Catcher) -> AsyncSmtpTransport<Tokio1Executor> {
    AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(catcher.smtp_addr.port())
        .build()
}

fn mail(to: &str, subject: &str, text: &str) -> lettre::Message {
    lettre::Message::builder()
        .from("Ký Số <kyso@kyso.example>".parse().unwrap())
        .to(to.parse().unwrap())
        .subject(subject)
        .header(ContentType::TEXT_PLAIN)
        .body(text.to_owned())
        .unwrap()
}

/// Sends the lines, then closes our side and returns all that was said.
async fn say(catcher: &Catcher, lines: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(catcher.smtp_addr).await.unwrap();
    for line in lines {
        stream.write_all(line).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn a_real_client_delivers_vietnamese_mail() {
    let catcher = Catcher::start().await.unwrap();
    let text =
        "Mã kích hoạt của ông/bà là 493021.\n.dòng bắt đầu bằng dấu chấm\nHết hạn sau 5 phút.";
    client(&catcher)
        .send(mail("anh@example.vn", "Mã kích hoạt Ký Số", text))
        .await
        .unwrap();
    let caught = catcher
        .wait_for("anh@example.vn", 0, Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(caught.subject, "Mã kích hoạt Ký Số");
    assert_eq!(caught.text, text);
    assert_eq!(caught.from, "kyso@kyso.example");
    assert!(catcher.messages("other@example.vn").is_empty());
}

#[tokio::test]
async fn a_fault_asked_for_is_temporary_and_passes() {
    let catcher = Catcher::start().await.unwrap();
    catcher.fail_next(Faults {
        mail: 1,
        ..Faults::default()
    });
    let refused = client(&catcher)
        .send(mail("a@example.vn", "x", "y"))
        .await
        .unwrap_err();
    assert!(refused.is_transient(), "{refused:?}");
    client(&catcher)
        .send(mail("a@example.vn", "x", "y"))
        .await
        .unwrap();
    assert_eq!(catcher.messages("a@example.vn").len(), 1);
}

#[tokio::test]
async fn commands_out_of_order_are_refused() {
    let catcher = Catcher::start().await.unwrap();
    let said = say(
        &catcher,
        &[
            b"MAIL FROM:<a@b.vn>\r\nEHLO x\r\nRCPT TO:<c@d.vn>\r\nDATA\r\nMAIL FROM:<a@b.vn>\r\nMAIL FROM:<a@b.vn>\r\n",
            b"RCPT TO:<>\r\nRCPT c@d.vn\r\nDATA\r\nWHAT\r\n\xFF\xFE\r\nQUIT\r\n",
        ],
    )
    .await;
    let codes: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with("250-"))
        .map(|line| &line[..3])
        .collect();
    assert_eq!(
        codes,
        [
            "220", "503", "250", "503", "503", "250", "503", "501", "501", "503", "502", "500",
            "221"
        ]
    );
}

#[tokio::test]
async fn a_dot_between_lone_line_feeds_does_not_end_the_message() {
    let catcher = Catcher::start().await.unwrap();
    let said = say(
        &catcher,
        &[
            b"EHLO x\r\nMAIL FROM:<a@b.vn>\r\nRCPT TO:<c@d.vn>\r\nDATA\r\n",
            b"Subject: one\r\n\r\nfirst\n.\nMAIL FROM:<evil@b.vn>\n\r\n.\nstill\r\n..dot\r\n.\r\nQUIT\r\n",
        ],
    )
    .await;
    assert!(
        said.ends_with("354 end with <CRLF>.<CRLF>\r\n250 caught\r\n221 bye\r\n"),
        "{said}"
    );
    let caught = catcher.messages("c@d.vn");
    assert_eq!(caught.len(), 1);
    assert!(
        caught[0].text.contains("still") && caught[0].text.ends_with(".dot"),
        "{:?}",
        caught[0].text
    );
}

#[tokio::test]
async fn a_message_too_large_is_refused_and_the_conversation_goes_on() {
    let catcher = Catcher::start().await.unwrap();
    let line = [b"x".repeat(998), b"\r\n".to_vec()].concat();
    let body = line.repeat(5_000);
    let said = say(
        &catcher,
        &[
            b"EHLO x\r\nMAIL FROM:<a@b.vn> SIZE=99999999\r\nMAIL FROM:<a@b.vn>\r\nRCPT TO:<c@d.vn>\r\nDATA\r\n",
            &body,
            b".\r\nNOOP\r\nQUIT\r\n",
        ],
    )
    .await;
    let codes: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with("250-"))
        .map(|line| &line[..3])
        .collect();
    assert_eq!(
        codes,
        [
            "220", "250", "552", "250", "250", "354", "552", "250", "221"
        ]
    );
    assert!(catcher.messages("c@d.vn").is_empty());
}

#[tokio::test]
async fn a_line_longer_than_the_buffer_is_one_line() {
    let catcher = Catcher::start().await.unwrap();
    // Lengths around the buffer's end, so that CR and LF fall on either side of it.
    for length in 4_090..4_100 {
        let text = "y".repeat(length);
        let said = say(
            &catcher,
            &[
                b"EHLO x\r\nMAIL FROM:<a@b.vn>\r\nRCPT TO:<long@d.vn>\r\nDATA\r\n\r\n",
                text.as_bytes(),
                b"\r\nz\r\n.\r\nQUIT\r\n",
            ],
        )
        .await;
        assert!(said.ends_with("221 bye\r\n"), "{length}: {said}");
        assert_eq!(
            catcher.messages("long@d.vn").last().unwrap().text,
            format!("{text}\nz"),
            "{length}"
        );
    }
    let said = say(&catcher, &[&b"A".repeat(10_000), b"\r\nNOOP\r\nQUIT\r\n"]).await;
    assert!(
        said.ends_with("500 line too long\r\n250 still here\r\n221 bye\r\n"),
        "{said}"
    );
}
