//! Reads a caught mail for display: headers (RFC 5322, RFC 2047), body (RFC 2045 encodings, RFC 2046 multiparts).
//! Forgiving: what cannot be decoded is shown as it came.

use base64::Engine;

/// Parts nested deeper are not looked into.
const DEPTH_MAX: usize = 8;

/// A mail as a person reads it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) subject: String,
    pub(crate) message_id: String,
    pub(crate) text: String,
}

/// Decodes a whole message.
pub(crate) fn read(message: &[u8]) -> Mail {
    let (headers, _) = split(message);
    Mail {
        subject: decode_words(&header(headers, "subject").unwrap_or_default()),
        message_id: header(headers, "message-id").unwrap_or_default(),
        text: part_text(message, 0).unwrap_or_default(),
    }
}

/// The first plain text, else the first other text. `None` when there is none.
fn part_text(part: &[u8], depth: usize) -> Option<String> {
    let (headers, body) = split(part);
    let content_type = header(headers, "content-type").unwrap_or_else(|| "text/plain".to_owned());
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if kind.starts_with("multipart/") && depth < DEPTH_MAX {
        let boundary = parameter(&content_type, "boundary")?;
        let parts = multiparts(body, &boundary);
        let plain = parts.iter().find(|part| {
            let kind = header(split(part).0, "content-type")
                .unwrap_or_default()
                .to_ascii_lowercase();
            kind.is_empty() || kind.starts_with("text/plain")
        });
        return match plain {
            Some(plain) => part_text(plain, depth + 1),
            None => parts.iter().find_map(|part| part_text(part, depth + 1)),
        };
    }
    if !kind.starts_with("text/") {
        return None;
    }
    let encoding = header(headers, "content-transfer-encoding")
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let bytes = match encoding.as_str() {
        "quoted-printable" => quoted_printable(body),
        "base64" => base64_lenient(body).unwrap_or_else(|| body.to_vec()),
        _ => body.to_vec(),
    };
    let charset = parameter(&content_type, "charset").unwrap_or_default();
    Some(
        characters(&bytes, &charset)
            .replace("\r\n", "\n")
            .trim_end()
            .to_owned(),
    )
}

/// Headers and body, without the empty line between.
fn split(message: &[u8]) -> (&[u8], &[u8]) {
    if let Some(body) = message.strip_prefix(b"\r\n") {
        return (b"", body);
    }
    match message.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(end) => (&message[..end + 2], &message[end + 4..]),
        None => (message, b""),
    }
}

/// The first header of that name, unfolded (RFC 5322 2.2.3).
fn header(headers: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(headers);
    let mut found: Option<String> = None;
    for line in text.split("\r\n") {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = &mut found {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        if found.is_some() {
            break;
        }
        found = line
            .split_once(':')
            .filter(|(field, _)| field.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned());
    }
    found
}

/// A parameter of a structured header: `charset="utf-8"` or `charset=utf-8`.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The parts between boundary lines (RFC 2046 5.1.1); preamble and epilogue are dropped.
fn multiparts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(&delimiter) {
            if let Some(start) = start {
                // The CRLF before a boundary belongs to the boundary.
                parts.push(
                    body[start..at]
                        .strip_suffix(b"\r\n")
                        .unwrap_or(&body[start..at]),
                );
            }
            if line[delimiter.len()..].starts_with(b"--") {
                return parts;
            }
            start = Some(at + line.len());
        }
        at += line.len();
    }
    parts
}

/// RFC 2047: `=?utf-8?B?…?=` and `=?utf-8?Q?…?=`; white space between two encoded words is dropped.
fn decode_words(value: &str) -> String {
    let mut shown = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, from) = rest.split_at(start);
        let Some((decoded, length)) = encoded_word(from) else {
            shown.push_str(before);
            shown.push_str("=?");
            rest = &from[2..];
            after_word = false;
            continue;
        };
        if !(after_word && before.trim().is_empty()) {
            shown.push_str(before);
        }
        shown.push_str(&decoded);
        rest = &from[length..];
        after_word = true;
    }
    shown.push_str(rest);
    shown
}

/// Decodes the encoded word at the start; its text and its length in bytes.
fn encoded_word(from: &str) -> Option<(String, usize)> {
    let mut fields = from.get(2..)?.splitn(4, '?');
    let (charset, encoding, text) = (fields.next()?, fields.next()?, fields.next()?);
    fields.next()?.strip_prefix('=')?;
    let bytes = match encoding {
        "B" | "b" => base64_lenient(text.as_bytes())?,
        "Q" | "q" => quoted_printable(text.replace('_', " ").as_bytes()),
        _ => return None,
    };
    let length = 2 + charset.len() + 1 + encoding.len() + 1 + text.len() + 2;
    Some((characters(&bytes, charset), length))
}

/// RFC 2045 6.7. A malformed escape stays as it is.
fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'=' {
            decoded.push(byte);
        } else if let Some(after) = after
            .strip_prefix(b"\r\n")
            .or_else(|| after.strip_prefix(b"\n"))
        {
            rest = after;
        } else if let (Some(high), Some(low)) = (nibble(after.first()), nibble(after.get(1))) {
            decoded.push(high << 4 | low);
            rest = &after[2..];
        } else {
            decoded.push(byte);
        }
    }
    decoded
}

fn nibble(byte: Option<&u8>) -> Option<u8> {
    byte.and_then(|&byte| char::from(byte).to_digit(16))
        .map(|digit| digit as u8)
}

/// RFC 2045 6.8: line breaks inside are ignored.
fn base64_lenient(body: &[u8]) -> Option<Vec<u8>> {
    let clean: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    base64::engine::general_purpose::STANDARD.decode(clean).ok()
}

fn characters(bytes: &[u8], charset: &str) -> String {
    if charset.eq_ignore_ascii_case("iso-8859-1") {
        bytes.iter().copied().map(char::from).collect()
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_printable_mail_with_an_encoded_subject_is_read() {
        let mail = read(
            b"From: kyso@example.vn\r\nMessage-ID: <1@kyso>\r\nSubject: =?utf-8?B?TcOjIGvDrWNo?=\r\n =?utf-8?Q?_ho=E1=BA=A1t?=\r\n\
              Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
              M=C3=A3 c=E1=BB=A7a =\r\n\xC3\xB4ng l=C3=A0 493021=\r\n.\r\n",
        );
        assert_eq!(mail.subject, "Mã kích hoạt");
        assert_eq!(mail.message_id, "<1@kyso>");
        assert_eq!(mail.text, "Mã của ông là 493021.");
    }

    #[test]
    fn the_plain_part_of_a_multipart_is_shown() {
        let mail =
            read(b"Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\n--b\r\n");
        assert_eq!(mail.text, "");
        let mail = read(
            b"Content-Type: multipart/mixed; boundary=B\r\n\r\npreamble\r\n--B\r\nContent-Type: text/html\r\n\r\n<p>no</p>\r\n\
              --B\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nWGluIGNow6Bv\r\n--B--\r\nend",
        );
        assert_eq!(mail.text, "Xin chào");
    }

    #[test]
    fn endless_nesting_ends() {
        let mut mail = Vec::new();
        for n in 0..1_000 {
            let opening =
                format!("Content-Type: multipart/mixed; boundary=b{n:04}\r\n\r\n--b{n:04}\r\n");
            mail.extend_from_slice(opening.as_bytes());
        }
        mail.extend_from_slice(b"\r\ntext");
        assert_eq!(read(&mail).text, "");
    }

    #[test]
    fn what_cannot_be_decoded_stays_as_it_came() {
        assert_eq!(
            decode_words("=?utf-8?B?***?= and =?x"),
            "=?utf-8?B?***?= and =?x"
        );
        assert_eq!(quoted_printable(b"50=% =zz ="), b"50=% =zz =");
        assert_eq!(read(b"").text, "");
        assert_eq!(read(b"\r\nonly a body").text, "only a body");
    }
}
