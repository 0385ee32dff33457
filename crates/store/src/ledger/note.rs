//! Signed notes: the text form in which a checkpoint leaves the database.
//!
//! C2SP signed-note: <https://c2sp.org/signed-note>. The text ends with a newline and is what is signed; then an empty line;
//! then lines `— <key name> <base64(key id ‖ signature)>`. The key id is the first four bytes of
//! SHA-256(name ‖ 0x0A ‖ signature type ‖ public key).
//!
//! Our text has three lines: origin (the key's name), size, base64 of the head. It looks like a C2SP tlog-checkpoint, but
//! the hash is the head of a chain, not the root of a Merkle tree.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Error, Result};

/// The key the checkpoints are signed with, as a signed note names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    /// Key name, and origin of the notes: `ledger.example.org`. No space, no plus, no newline.
    pub name: String,
    /// Signature type identifier: `[0x01]` for Ed25519, `[0xff, …]` for one of our own.
    pub algorithm: Vec<u8>,
    /// The public key's bytes as they enter the key id.
    pub public_key: Vec<u8>,
}

/// What a note says: so many entries, ending with this hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) origin: String,
    pub(super) size: i64,
    pub(super) head: [u8; 32],
}

impl NoteKey {
    /// First four bytes of SHA-256(name ‖ 0x0A ‖ signature type ‖ public key).
    pub fn id(&self) -> [u8; 4] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.name.as_bytes());
        context.update(b"\n");
        context.update(&self.algorithm);
        context.update(&self.public_key);
        let mut id = [0u8; 4];
        id.copy_from_slice(&context.finish().as_ref()[..4]);
        id
    }

    pub(super) fn check(&self) -> Result<()> {
        let spoils = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '+';
        if self.name.is_empty() || self.name.contains(spoils) {
            return Err(Error::Note {
                reason: "a key name has no space and no plus",
            });
        }
        Ok(())
    }
}

impl Claim {
    /// What is signed.
    pub(super) fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.head)
        )
    }
}

pub(super) fn sign(claim: &Claim, key: &NoteKey, signature: &[u8]) -> String {
    let mut signed = key.id().to_vec();
    signed.extend_from_slice(signature);
    format!(
        "{}\n\u{2014} {} {}\n",
        claim.text(),
        key.name,
        STANDARD.encode(signed)
    )
}

/// Reads a note without looking at its signatures.
pub(super) fn read(note: &str) -> Result<Claim> {
    let (text, _) = split(note)?;
    let mut lines = text.lines();
    let mut line = |reason| lines.next().ok_or(Error::Note { reason });
    let origin = line("no origin")?.to_owned();
    let size: i64 = line("no size")?.parse().map_err(|_| Error::Note {
        reason: "the size is no number",
    })?;
    let head = STANDARD.decode(line("no hash")?).map_err(|_| Error::Note {
        reason: "the hash is not base64",
    })?;
    let head = head.try_into().map_err(|_| Error::Note {
        reason: "the hash is not 32 bytes",
    })?;
    let claim = Claim { origin, size, head };
    // One claim, one text: no leading zeros, no second encoding, no further lines.
    if size < 0 || claim.text() != text {
        return Err(Error::Note {
            reason: "the text is not in its one form",
        });
    }
    Ok(claim)
}

/// Reads a note of this origin that this key signed; `valid` checks a signature over the text. Other signatures are passed
/// over, as the standard wants.
pub(super) fn open(
    note: &str,
    key: &NoteKey,
    valid: impl Fn(&[u8], &[u8]) -> bool,
) -> Result<Claim> {
    let claim = read(note)?;
    if claim.origin != key.name {
        return Err(Error::Note {
            reason: "the origin is another",
        });
    }
    let (text, signatures) = split(note)?;
    let mut ours = signatures.lines().filter_map(|line| {
        let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let signed = STANDARD.decode(encoded).ok()?;
        let (id, signature) = signed.split_first_chunk::<4>()?;
        (name == key.name && *id == key.id()).then(|| signature.to_vec())
    });
    let signature = ours.next().ok_or(Error::Note {
        reason: "not signed by the key",
    })?;
    if !valid(text.as_bytes(), &signature) {
        return Err(Error::Note {
            reason: "the signature is wrong",
        });
    }
    Ok(claim)
}

/// Text (with its newline) and signature lines.
fn split(note: &str) -> Result<(&str, &str)> {
    let middle = note.rfind("\n\n").ok_or(Error::Note {
        reason: "no signatures",
    })?;
    Ok((&note[..=middle], &note[middle + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> NoteKey {
        NoteKey {
            name: "ledger.example.org".to_owned(),
            algorithm: vec![1],
            public_key: vec![7; 32],
        }
    }

    fn claim() -> Claim {
        Claim {
            origin: "ledger.example.org".to_owned(),
            size: 12,
            head: [9; 32],
        }
    }

    #[test]
    fn a_note_has_the_form_of_the_standard() {
        let note = sign(&claim(), &key(), b"sig");
        let lines: Vec<&str> = note.split('\n').collect();
        assert_eq!(
            lines[..4],
            [
                "ledger.example.org",
                "12",
                "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=",
                ""
            ]
        );
        assert!(lines[4].starts_with("\u{2014} ledger.example.org "));
        assert!(note.ends_with('\n'));
        assert_eq!(read(&note).unwrap(), claim());
    }

    /// The key of the example in the standard: PeterNeumann, Ed25519, key id c74f20a3.
    #[test]
    fn the_key_id_is_that_of_the_standards_example() {
        let vkey = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let bytes = STANDARD.decode(vkey).unwrap();
        let key = NoteKey {
            name: "PeterNeumann".to_owned(),
            algorithm: bytes[..1].to_vec(),
            public_key: bytes[1..].to_vec(),
        };
        assert_eq!(hex::encode(key.id()), "c74f20a3");
    }

    #[test]
    fn a_note_opens_for_the_key_that_signed_it_only() {
        let note = sign(&claim(), &key(), b"sig");
        let valid = |text: &[u8], signature: &[u8]| {
            text == claim().text().as_bytes() && signature == b"sig"
        };
        assert_eq!(open(&note, &key(), valid).unwrap(), claim());
        let other = NoteKey {
            public_key: vec![8; 32],
            ..key()
        };
        let refused = |result: Result<Claim>| match result {
            Err(Error::Note { reason }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(open(&note, &other, valid)), "not signed by the key");
        assert_eq!(
            refused(open(&note.replace("\n12\n", "\n13\n"), &key(), valid)),
            "the signature is wrong"
        );
        assert_eq!(
            refused(open(&note.replace("\n12\n", "\n012\n"), &key(), valid)),
            "the text is not in its one form"
        );
        assert_eq!(
            refused(open(&note.replace("ledger", "other"), &key(), valid)),
            "the origin is another"
        );
        assert_eq!(refused(open("x", &key(), valid)), "no signatures");
        assert_eq!(
            refused(open("a\n-1\nAA==\n\n", &key(), valid)),
            "the hash is not 32 bytes"
        );
    }

    #[test]
    fn a_key_name_that_would_break_the_lines_is_refused() {
        for name in ["", "a b", "a+b", "a\nb"] {
            assert!(
                NoteKey {
                    name: name.to_owned(),
                    ..key()
                }
                .check()
                .is_err(),
                "{name:?}"
            );
        }
        key().check().unwrap();
    }
}
