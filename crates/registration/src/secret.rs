//! Tokens, codes and digests of the web role, which owns no keystore: from the store's source of entropy.

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kyso_store::Entropy;

/// 32 random bytes.
pub(crate) fn bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    Entropy::System.fill(&mut bytes);
    bytes
}

/// A bearer token: base64url of 256 random bits. There is nothing to guess, so its plain SHA-256 is what is stored.
pub(crate) fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes())
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut value = [0; 32];
    value.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    value
}

/// Decimal digits, each equally likely.
pub(crate) fn digits(count: usize) -> String {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        // 250 = 25 × 10: what lies above would favour small digits
        text.extend(
            bytes()
                .into_iter()
                .filter(|byte| *byte < 250)
                .take(count - text.len())
                .map(|byte| char::from(b'0' + byte % 10)),
        );
    }
    text
}

/// A number to say on the telephone, such as `8K2F-31`: Crockford's letters, none of which is taken for another.
pub(crate) fn reference() -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let letters: Vec<char> = bytes()[..8]
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect();
    letters[..4]
        .iter()
        .chain(&['-'])
        .chain(&letters[4..])
        .collect()
}

/// What is stored of an activation code. The salt is kept sealed under the data key, so the database alone does not
/// allow trying the million codes.
pub(crate) fn verifier(salt: &[u8], code_id: &str, code: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt);
    hmac::sign(&key, format!("{code_id}\n{code}").as_bytes())
        .as_ref()
        .to_vec()
}

/// Compares in a time that does not depend on where they differ.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// The digest under which an allowance is counted: the table of allowances is no list of telephone numbers.
pub(crate) fn subject(kind: &str, of: &str) -> String {
    hex::encode(sha256(format!("{kind}\n{of}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_digits_and_every_one_of_them_comes() {
        let text = digits(4_000);
        assert!(text.bytes().all(|byte| byte.is_ascii_digit()));
        for digit in "0123456789".chars() {
            let count = text.chars().filter(|other| *other == digit).count();
            assert!((250..550).contains(&count), "{digit} {count}");
        }
        assert_eq!(digits(6).len(), 6);
    }

    #[test]
    fn a_reference_has_the_form_people_are_told() {
        let reference = reference();
        assert_eq!((reference.len(), reference.find('-')), (9, Some(4)));
        assert!(!reference.contains(['I', 'L', 'O', 'U']));
    }

    #[test]
    fn a_verifier_depends_on_salt_code_and_id() {
        let one = verifier(b"salt", "code_1", "123456");
        assert!(equal(&one, &verifier(b"salt", "code_1", "123456")));
        for other in [
            verifier(b"sal", "code_1", "123456"),
            verifier(b"salt", "code_2", "123456"),
            verifier(b"salt", "code_1", "123457"),
        ] {
            assert!(!equal(&one, &other));
        }
    }
}
