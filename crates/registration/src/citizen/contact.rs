//! Where a citizen is reached: a Vietnamese mobile number, an e-mail address.

/// The two ways a code or a notice travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Text message to the phone number.
    Sms,
    /// E-mail.
    Email,
}

impl Channel {
    /// `sms` or `email`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }

    /// Reads `sms` or `email`.
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "sms" => Some(Self::Sms),
            "email" => Some(Self::Email),
            _ => None,
        }
    }
}

/// Ten digits that begin with 0, as Vietnamese people write a mobile number, to `+84` and nine digits (E.164).
/// Ranges other than 03, 05, 07, 08 and 09 are not mobile (Circular 22/2014/TT-BTTTT and its 2018 renumbering), so
/// no code could reach them; refusing them here also closes premium numbers to SMS pumping.
pub fn read_phone(typed: &str) -> Result<String, &'static str> {
    let phone = typed.trim_matches(' ');
    match phone.as_bytes() {
        [] => Err("required"),
        [b'0', second, rest @ ..]
            if rest.len() == 8 && phone.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            if b"35789".contains(second) {
                Ok(format!("+84{}", &phone[1..]))
            } else {
                Err("not-mobile")
            }
        }
        _ => Err("phone-form"),
    }
}

/// An address that every mail relay takes: ASCII, one `@`, dot-atom before it, a host with a dot after it
/// (RFC 5321 4.1.2 and 4.5.3.1 without quoted strings, address literals and comments). The host in lower case.
/// Empty = none.
pub fn read_email(typed: &str) -> Result<Option<String>, &'static str> {
    let email = typed.trim_matches(' ');
    if email.is_empty() {
        return Ok(None);
    }
    if email.len() > 254 {
        return Err("too-long");
    }
    let (local, host) = email.split_once('@').ok_or("email-form")?;
    let atom = |text: &str, extra: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || extra.as_bytes().contains(&byte))
    };
    let local_ok = local.len() <= 64
        && local
            .split('.')
            .all(|part| atom(part, "!#$%&'*+/=?^_`{|}~-"));
    let label = |part: &str| {
        part.len() <= 63 && atom(part, "-") && !part.starts_with('-') && !part.ends_with('-')
    };
    let top = host.rsplit('.').next().unwrap_or_default();
    let host_ok = host.contains('.')
        && host.split('.').all(label)
        && !top.bytes().all(|byte| byte.is_ascii_digit());
    if local_ok && host_ok {
        Ok(Some(format!("{local}@{}", host.to_ascii_lowercase())))
    } else {
        Err("email-form")
    }
}

/// A destination with its middle hidden, for a screen: `09•• ••• 618`, `h•••@example.vn`.
pub fn masked(channel: Channel, destination: &str) -> String {
    match channel {
        Channel::Sms => {
            let national = destination.strip_prefix("+84").unwrap_or(destination);
            let (head, tail) = (
                national.get(..1).unwrap_or(""),
                national.get(national.len().saturating_sub(3)..),
            );
            format!("0{head}•• ••• {}", tail.unwrap_or(""))
        }
        Channel::Email => match destination.split_once('@') {
            Some((local, host)) => format!("{}•••@{host}", local.get(..1).unwrap_or("")),
            None => "•••".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mobile_number_becomes_e164() {
        assert_eq!(read_phone("0911222333"), Ok("+84911222333".into()));
        assert_eq!(read_phone(" 0322333444 "), Ok("+84322333444".into()));
        for (typed, code) in [
            ("", "required"),
            ("911222333", "phone-form"),
            ("09112223334", "phone-form"),
            ("091122233", "phone-form"),
            ("+84911222333", "phone-form"),
            ("0911 222 333", "phone-form"),
            ("09112223３3", "phone-form"),
            ("0281234567", "not-mobile"),
            ("0011222333", "not-mobile"),
            ("1900123456", "phone-form"),
        ] {
            assert_eq!(read_phone(typed), Err(code), "{code}");
        }
    }

    #[test]
    fn an_email_is_optional_and_plain() {
        assert_eq!(read_email(""), Ok(None));
        assert_eq!(
            read_email("Hanh.Nguyen+ky@Example.VN"),
            Ok(Some("Hanh.Nguyen+ky@example.vn".into()))
        );
        for typed in [
            "hanh",
            "hanh@",
            "@example.vn",
            "hanh@example",
            "ha nh@example.vn",
            "hanh@exa_mple.vn",
            "hanh@-a.vn",
            "a@b@c.vn",
            "a..b@c.vn",
            ".a@c.vn",
            "hanh@example.vn\r\nBcc: x@y.vn",
            "hạnh@example.vn",
            "a@1.2.3.4",
        ] {
            assert_eq!(read_email(typed), Err("email-form"));
        }
        assert_eq!(
            read_email(&format!("a@{}.vn", "b".repeat(260))),
            Err("too-long")
        );
    }

    #[test]
    fn a_masked_destination_shows_enough_to_recognise_it() {
        assert_eq!(masked(Channel::Sms, "+84911222618"), "09•• ••• 618");
        assert_eq!(masked(Channel::Email, "hanh@example.vn"), "h•••@example.vn");
    }
}
