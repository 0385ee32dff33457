//! Bounds on what is read, checked before any decoder runs.
//!
//! One pass over the headers, without recursion: definite and shortest lengths only (DER, X.690 §10.1), every
//! element inside its parent, nothing after the end, nesting bounded. What passes can be read with slices.

use crate::{Error, Result};

/// Octets of a certificate or of its signed part.
pub const CERTIFICATE_OCTETS_MOST: usize = 64 * 1024;
/// Octets of a certification request.
pub const REQUEST_OCTETS_MOST: usize = 64 * 1024;
/// Octets of SubjectPublicKeyInfo.
pub const PUBLIC_KEY_OCTETS_MOST: usize = 8 * 1024;
/// Octets of a distinguished name.
pub const NAME_OCTETS_MOST: usize = 16 * 1024;
/// Octets of a CRL: two million entries and more.
pub const CRL_OCTETS_MOST: usize = 128 * 1024 * 1024;
/// Octets of an OCSP request.
pub const OCSP_REQUEST_OCTETS_MOST: usize = 64 * 1024;
/// Certificates asked about in one OCSP request.
pub const OCSP_IDS_MOST: usize = 64;
/// Octets of a nonce; at least one (RFC 9654 §2.1).
pub const OCSP_NONCE_OCTETS_MOST: usize = 128;
/// Octets of an OCSP response.
pub const OCSP_RESPONSE_OCTETS_MOST: usize = 256 * 1024;
/// Octets of a CMS signature: its chain, evidence and time-stamps.
pub const CMS_OCTETS_MOST: usize = 16 * 1024 * 1024;
/// Certificates inside one CMS signature or OCSP response.
pub const CERTIFICATES_MOST: usize = 64;
/// Attributes of a distinguished name.
pub const NAME_ATTRIBUTES_MOST: usize = 64;
/// Extensions of one structure.
pub const EXTENSIONS_MOST: usize = 64;
/// Levels of nesting. The deepest real structure, an archived CMS signature, has about twenty.
pub const DEPTH_MOST: usize = 32;

/// Refuses octets that are longer than `octets_most`, nested too deep, or not one DER element.
pub fn check(what: &'static str, der: &[u8], octets_most: usize) -> Result<()> {
    if der.len() > octets_most {
        return Err(Error::TooLong {
            what,
            octets: der.len(),
            most: octets_most,
        });
    }
    // Where each open element ends; the outermost "element" is the input itself.
    let mut ends = [0usize; DEPTH_MOST];
    let mut open = 0;
    let mut position = 0;
    loop {
        let (header, length) = header(what, &der[position..])?;
        let start = position + header;
        let limit = if open == 0 { der.len() } else { ends[open - 1] };
        let end = start
            .checked_add(length)
            .filter(|end| *end <= limit)
            .ok_or(Error::malformed(what))?;
        let is_constructed = der[position] & 0x20 != 0;
        if is_constructed && length > 0 {
            if open == DEPTH_MOST {
                return Err(Error::TooDeep {
                    what,
                    most: DEPTH_MOST,
                });
            }
            ends[open] = end;
            open += 1;
            position = start;
        } else {
            position = end;
        }
        while open > 0 && ends[open - 1] == position {
            open -= 1;
        }
        if open == 0 {
            break;
        }
    }
    if position == der.len() {
        return Ok(());
    }
    Err(Error::malformed(what))
}

/// The octets of a header and of the value behind it. One-octet tags only: no structure of ours has longer ones.
pub(crate) fn header(what: &'static str, octets: &[u8]) -> Result<(usize, usize)> {
    let malformed = Error::malformed(what);
    let [tag, first, rest @ ..] = octets else {
        return Err(malformed);
    };
    if tag & 0x1f == 0x1f || *tag == 0 {
        return Err(malformed);
    }
    if *first < 0x80 {
        return Ok((2, usize::from(*first)));
    }
    let count = usize::from(first & 0x7f);
    // 0x80 is the indefinite length of BER; five octets would be more than any bound above.
    if count == 0 || count > 4 || rest.len() < count {
        return Err(malformed);
    }
    let length = rest[..count]
        .iter()
        .fold(0usize, |length, octet| length << 8 | usize::from(*octet));
    let is_shortest = rest[0] != 0 && length >= 0x80;
    if is_shortest {
        Ok((2 + count, length))
    } else {
        Err(malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(der: &[u8]) -> Error {
        check("test", der, 1 << 20).unwrap_err()
    }

    #[test]
    fn plain_nesting_passes() {
        assert_eq!(check("test", &[0x30, 0], 100), Ok(()));
        assert_eq!(check("test", &[0x30, 5, 0x30, 0, 0x02, 1, 7], 100), Ok(()));
    }

    #[test]
    fn nesting_is_bounded_and_costs_no_stack() {
        let mut nested = vec![0x30, 0];
        for _ in 1..DEPTH_MOST {
            nested = crate::wire::tlv(0x30, &[&nested]);
        }
        assert_eq!(check("test", &nested, 1 << 20), Ok(()));
        for _ in 0..10_000 {
            nested = crate::wire::tlv(0x30, &[&nested]);
        }
        assert!(matches!(refused(&nested), Error::TooDeep { most: 32, .. }));
    }

    #[test]
    fn indefinite_long_and_padded_lengths_are_refused() {
        for der in [
            &[0x30, 0x80, 0, 0][..],
            &[0x30, 0x81, 0x05, 1, 2, 3, 4, 5],
            &[0x30, 0x82, 0x00, 0x80],
            &[0x30, 0x85, 1, 0, 0, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x3f, 0x81, 0x01, 0],
            &[0x30, 1],
            &[0x30],
            &[],
            &[0x30, 0, 0],
            &[0x30, 2, 0x04, 1],
            &[0x30, 3, 0x04, 2, 1, 1],
        ] {
            assert!(matches!(refused(der), Error::Malformed { .. }), "{der:?}");
        }
    }

    #[test]
    fn more_octets_than_allowed_are_refused_unread() {
        assert_eq!(
            check("test", &[0; 10], 9),
            Err(Error::TooLong {
                what: "test",
                octets: 10,
                most: 9
            })
        );
    }
}
