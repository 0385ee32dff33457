//! The SMTP side: RFC 5321 with SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531) and PIPELINING (RFC 2920).
//!
//! # Invariants
//! - A line ends with CRLF only: a lone LF never ends a command or the message, so nothing can be smuggled past the dot.
//! - Every read is bounded in bytes and in time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::inbox::{Channel, Inbox, Message};
use crate::mime;

/// Longest message taken, in bytes; announced by SIZE.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Longest line read at once. RFC 5321 4.5.3.1.6 says 1,000 for text; a longer one is taken in pieces.
const LINE_BYTES_MAX: usize = 4_096;
/// RFC 5321 4.5.3.1.8 asks for at least 100.
const RECIPIENTS_MAX: usize = 100;
/// Conversations at once.
const SESSIONS_MAX: usize = 64;
/// RFC 5321 4.5.3.2.7 says 5 minutes; a test has less patience.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Answers until its task is dropped.
pub(crate) async fn serve(listener: TcpListener, inbox: Arc<Inbox>) {
    let sessions = Arc::new(Semaphore::new(SESSIONS_MAX));
    // Conversations end with the catcher: the set aborts them when it is dropped.
    let mut conversations = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = sessions.clone().acquire_owned().await else {
            return;
        };
        // Out of file descriptors and the like: try again with the next client.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let inbox = inbox.clone();
        while conversations.try_join_next().is_some() {}
        conversations.spawn(async move {
            let _permit = permit;
            // A client that breaks off is its own business.
            let _ = Session::new(stream, inbox).talk().await;
        });
    }
}

struct Session {
    stream: BufReader<TcpStream>,
    inbox: Arc<Inbox>,
    greeted: bool,
    envelope: Option<Envelope>,
}

struct Envelope {
    from: String,
    to: Vec<String>,
}

/// A line as read.
enum Line {
    /// With its CRLF removed.
    Whole(Vec<u8>),
    /// A piece of a longer line.
    Piece(Vec<u8>),
    /// The client closed.
    End,
}

impl Session {
    fn new(stream: TcpStream, inbox: Arc<Inbox>) -> Self {
        Self {
            stream: BufReader::new(stream),
            inbox,
            greeted: false,
            envelope: None,
        }
    }

    async fn talk(mut self) -> io::Result<()> {
        self.reply("220 catcher.localhost ESMTP").await?;
        loop {
            let line = match self.line().await? {
                Line::Whole(line) => line,
                Line::End => return Ok(()),
                Line::Piece(_) => {
                    self.skip_line().await?;
                    self.reply("500 line too long").await?;
                    continue;
                }
            };
            let Ok(line) = String::from_utf8(line) else {
                self.reply("500 not UTF-8").await?;
                continue;
            };
            let (verb, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.hello(true).await?,
                "HELO" => self.hello(false).await?,
                "MAIL" => self.mail(rest).await?,
                "RCPT" => self.recipient(rest).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.envelope = None;
                    self.reply("250 forgotten").await?;
                }
                "NOOP" => self.reply("250 still here").await?,
                "VRFY" => self.reply("252 everybody is welcome").await?,
                "QUIT" => return self.reply("221 bye").await,
                _ => self.reply("502 not implemented").await?,
            }
        }
    }

    async fn hello(&mut self, extended: bool) -> io::Result<()> {
        self.greeted = true;
        self.envelope = None;
        if extended {
            self.reply(&format!(
                "250-catcher.localhost\r\n250-SIZE {MESSAGE_BYTES_MAX}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8"
            ))
            .await
        } else {
            self.reply("250 catcher.localhost").await
        }
    }

    async fn mail(&mut self, rest: &str) -> io::Result<()> {
        if !self.greeted {
            return self.reply("503 say EHLO first").await;
        }
        if self.envelope.is_some() {
            return self.reply("503 one sender at a time").await;
        }
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return self.reply("501 MAIL FROM:<address>").await;
        };
        let announced = parameters
            .split(' ')
            .find_map(|parameter| parameter.strip_prefix("SIZE="));
        if announced
            .and_then(|size| size.parse::<usize>().ok())
            .is_some_and(|size| size > MESSAGE_BYTES_MAX)
        {
            return self.reply("552 message too large").await;
        }
        if self.inbox.fault(|faults| &mut faults.mail) {
            return self.reply("451 asked to fail, try again").await;
        }
        self.envelope = Some(Envelope {
            from,
            to: Vec::new(),
        });
        self.reply("250 sender noted").await
    }

    async fn recipient(&mut self, rest: &str) -> io::Result<()> {
        let Some(envelope) = &mut self.envelope else {
            return self.reply("503 MAIL first").await;
        };
        let answer = match path(rest, "TO:") {
            Some((to, _)) if to.is_empty() => "501 RCPT TO:<address>",
            Some(_) if envelope.to.len() >= RECIPIENTS_MAX => "452 too many recipients",
            Some((to, _)) => {
                envelope.to.push(to);
                "250 recipient noted"
            }
            None => "501 RCPT TO:<address>",
        };
        self.reply(answer).await
    }

    async fn data(&mut self) -> io::Result<()> {
        if self
            .envelope
            .as_ref()
            .is_none_or(|envelope| envelope.to.is_empty())
        {
            return self.reply("503 MAIL and RCPT first").await;
        }
        self.reply("354 end with <CRLF>.<CRLF>").await?;
        let message = self.message().await?;
        let Some(envelope) = self.envelope.take() else {
            return Ok(());
        };
        let Some(message) = message else {
            return self.reply("552 message too large").await;
        };
        let mail = mime::read(&message);
        for to in envelope.to {
            self.inbox.add(Message {
                id: 0,
                channel: Channel::Mail,
                from: envelope.from.clone(),
                to,
                subject: mail.subject.clone(),
                text: mail.text.clone(),
                reference: mail.message_id.clone(),
            });
        }
        self.reply("250 caught").await
    }

    /// Reads up to the dot, undoing dot-stuffing (RFC 5321 4.5.2). `None` when it was too large; it is read to its end
    /// all the same, so that the conversation can go on.
    async fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut message = Some(Vec::new());
        let mut at_line_start = true;
        loop {
            let (mut line, ends) = match self.line().await? {
                Line::Whole(line) => (line, true),
                Line::Piece(piece) => (piece, false),
                Line::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            if at_line_start && line.first() == Some(&b'.') {
                if ends && line == b"." {
                    return Ok(message);
                }
                line.remove(0);
            }
            at_line_start = ends;
            if let Some(kept) = &mut message {
                kept.extend_from_slice(&line);
                if ends {
                    kept.extend_from_slice(b"\r\n");
                }
                if kept.len() > MESSAGE_BYTES_MAX {
                    message = None;
                }
            }
        }
    }

    async fn line(&mut self) -> io::Result<Line> {
        let mut line = Vec::new();
        loop {
            let room = (LINE_BYTES_MAX - line.len()) as u64;
            let mut stream = (&mut self.stream).take(room);
            let read = tokio::time::timeout(IDLE_MAX, stream.read_until(b'\n', &mut line));
            if read.await.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
                return Ok(if line.is_empty() {
                    Line::End
                } else {
                    Line::Piece(line)
                });
            }
            if line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                return Ok(Line::Whole(line));
            }
            if line.len() >= LINE_BYTES_MAX {
                // A CR at the very end may be half of a CRLF: leave the pair together in the next piece.
                return self.piece(line).await;
            }
        }
    }

    /// Hands out a full buffer as a piece, unless the very next byte completes a CRLF.
    async fn piece(&mut self, mut line: Vec<u8>) -> io::Result<Line> {
        if line.ends_with(b"\r") {
            let next = tokio::time::timeout(IDLE_MAX, self.stream.fill_buf())
                .await
                .map_err(|_| io::ErrorKind::TimedOut)??;
            if next.first() == Some(&b'\n') {
                self.stream.consume(1);
                line.pop();
                return Ok(Line::Whole(line));
            }
        }
        Ok(Line::Piece(line))
    }

    async fn skip_line(&mut self) -> io::Result<()> {
        while let Line::Piece(_) = self.line().await? {}
        Ok(())
    }

    async fn reply(&mut self, line: &str) -> io::Result<()> {
        self.stream
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .await
    }
}

/// `FROM:<address> PARAMETERS` → (address, parameters). The address may be empty (a bounce).
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(String, &'a str)> {
    let head = rest.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (address, parameters) = rest[keyword.len()..]
        .trim_start()
        .strip_prefix('<')?
        .split_once('>')?;
    // A source route (`<@relay:user@host>`) is obsolete; the address is what follows the colon.
    let address = match address.strip_prefix('@') {
        Some(route) => route.split_once(':')?.1,
        None => address,
    };
    Some((address.to_owned(), parameters.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_the_standard_writes_them() {
        let read = |text: &str| {
            path(text, "FROM:").map(|(address, parameters)| (address, parameters.to_owned()))
        };
        assert_eq!(
            read("FROM:<a@b.vn>"),
            Some(("a@b.vn".into(), String::new()))
        );
        assert_eq!(
            read("from: <a@b.vn> BODY=8BITMIME"),
            Some(("a@b.vn".into(), "BODY=8BITMIME".into()))
        );
        assert_eq!(read("FROM:<>"), Some((String::new(), String::new())));
        assert_eq!(
            read("FROM:<@x:a@b.vn>"),
            Some(("a@b.vn".into(), String::new()))
        );
        for wrong in ["", "FROM:a@b.vn", "TO:<a@b.vn>", "FROM:<a@b.vn", "FROMÀ"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
