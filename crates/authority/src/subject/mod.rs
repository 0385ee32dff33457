//! The second look at a name before it goes into a certificate.
//!
//! Registration talks with the citizen and explains what is wrong; here the same text is judged once more, without mercy, because
//! what passes is signed and cannot be taken back. X.520 upper bounds (RFC 5280 appendix A.1): CN and O 64 characters, L and ST 128.
//!
//! Invariants: every attribute that leaves [`check`] is NFC (a name looks the same byte for byte in every file it signs), has no
//! control, format or invisible character, and is written in the Latin letters that Vietnamese identity documents use. One script
//! means no homoglyph of another: Cyrillic `А` cannot stand for Latin `A`. Inside Latin the letters that look like another one are
//! refused too, foremost `Ð` (U+00D0, eth) for `Đ` (U+0110).

use kyso_pki::name::SubjectName;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::error::Error;

/// Longest common name and organisation, in characters (`ub-common-name`, `ub-organization-name`).
pub const COMMON_NAME_CHARACTERS_MAX: usize = 64;
/// Longest province and commune, in characters (`ub-state-name`, `ub-locality-name`).
pub const PLACE_CHARACTERS_MAX: usize = 128;
/// Longest identity, in characters: `CCCD:` and twelve digits need 17.
pub const IDENTITY_CHARACTERS_MAX: usize = 32;

/// What is wrong with an attribute. The text itself is never part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing there, or only spaces.
    #[error("is empty")]
    Empty,
    /// More characters than X.520 allows.
    #[error("has {characters} characters, {most} are allowed")]
    TooLong {
        /// Characters found.
        characters: usize,
        /// Characters allowed.
        most: usize,
    },
    /// Not in Unicode normalisation form C.
    #[error("is not in normalisation form C")]
    NotNormalised,
    /// A control, format, private or invisible character.
    #[error("has the control or invisible character U+{0:04X}")]
    Invisible(u32),
    /// A space at an end, or two in a row: two spellings of one name.
    #[error("has a space too many")]
    Spaces,
    /// A letter of another script, or a Latin letter that passes for another one.
    #[error("has the letter U+{0:04X}, which can pass for another")]
    Homoglyph(u32),
    /// A character that has no place in this attribute.
    #[error("has the character U+{0:04X}, which does not belong there")]
    Unexpected(u32),
    /// The identity is not `KIND:NUMBER` in capital letters and digits.
    #[error("is not of the form KIND:NUMBER")]
    Malformed,
}

/// Which characters besides letters an attribute may carry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A person's name or a place: letters, spaces, `' - .` and, for places, digits and `,`.
    Person,
    Place,
    Organization,
}

/// Judges every attribute of `name`; the first fault is the answer.
///
/// # Errors
/// [`Error::Subject`] with the attribute and what is wrong with it, never its text.
pub fn check(name: &SubjectName) -> Result<(), Error> {
    if name.country.len() != 2 || !name.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Error::Subject {
            attribute: "country",
            fault: Fault::Malformed,
        });
    }
    let is_organization = name.organization.is_some()
        && name
            .identity
            .as_deref()
            .is_none_or(|id| id.starts_with("MST:"));
    let kind = if is_organization {
        Kind::Organization
    } else {
        Kind::Person
    };
    text(
        "common name",
        &name.common_name,
        COMMON_NAME_CHARACTERS_MAX,
        kind,
    )?;
    if let Some(province) = &name.province {
        text("province", province, PLACE_CHARACTERS_MAX, Kind::Place)?;
    }
    if let Some(commune) = &name.commune {
        text("commune", commune, PLACE_CHARACTERS_MAX, Kind::Place)?;
    }
    if let Some(organization) = &name.organization {
        text(
            "organisation",
            organization,
            COMMON_NAME_CHARACTERS_MAX,
            Kind::Organization,
        )?;
    }
    if let Some(identity) = &name.identity {
        check_identity(identity)?;
    }
    Ok(())
}

fn text(attribute: &'static str, value: &str, most: usize, kind: Kind) -> Result<(), Error> {
    judge(value, most, kind).map_err(|fault| Error::Subject { attribute, fault })
}

fn judge(value: &str, most: usize, kind: Kind) -> Result<(), Fault> {
    if value.trim().is_empty() {
        return Err(Fault::Empty);
    }
    // The bound comes before the normalisation: a hostile text costs no more than the longest allowed one. A decomposed letter
    // has at most three marks.
    let characters = value.chars().take(most * 4 + 1).count();
    if characters > most * 4 {
        return Err(Fault::TooLong { characters, most });
    }
    if let Some(invisible) = value.chars().find(|c| is_invisible(*c)) {
        return Err(Fault::Invisible(invisible as u32));
    }
    if !is_nfc(value) || value.nfc().ne(value.chars()) {
        return Err(Fault::NotNormalised);
    }
    if characters > most {
        return Err(Fault::TooLong { characters, most });
    }
    if value.starts_with(' ') || value.ends_with(' ') || value.contains("  ") {
        return Err(Fault::Spaces);
    }
    let mut after_letter = false;
    for c in value.chars() {
        // One mark that has no composed form may follow a letter (b̆ of Ê Đê names); a tower of marks may not.
        if is_mark(c) && after_letter {
            after_letter = false;
            continue;
        }
        after_letter = is_latin(c);
        if !after_letter && !is_punctuation(c, kind) {
            return Err(if c.is_alphabetic() {
                Fault::Homoglyph(c as u32)
            } else {
                Fault::Unexpected(c as u32)
            });
        }
    }
    Ok(())
}

/// `CCCD:079200000001`: a kind in capital letters, a colon, a number in capital letters and digits.
fn check_identity(identity: &str) -> Result<(), Error> {
    let malformed = Error::Subject {
        attribute: "identity",
        fault: Fault::Malformed,
    };
    let Some((kind, number)) = identity.split_once(':') else {
        return Err(malformed);
    };
    let well_formed = identity.len() <= IDENTITY_CHARACTERS_MAX
        && (2..=8).contains(&kind.len())
        && kind.bytes().all(|byte| byte.is_ascii_uppercase())
        && (6..=20).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || byte == b'-')
        // Decree on identity cards: twelve digits, nothing else
        && (kind != "CCCD" || (number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit())));
    if well_formed { Ok(()) } else { Err(malformed) }
}

/// Control, format, surrogate-like, private-use and blank characters other than the plain space.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c as u32,
            0x00AD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E
            | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFF | 0x1BCA0..=0x1BCA3
            | 0x1D173..=0x1D17A | 0xE000..=0xF8FF | 0xE0000..=0xE0FFF | 0xF0000..=0x10FFFF)
}

fn is_mark(c: char) -> bool {
    matches!(c as u32, 0x0300..=0x036F)
}

/// Latin letters that names are written in, without those that look like another letter: Ð ð (for Đ đ), Ɖ, ı, ĸ, ŉ, ſ, clicks, IPA.
fn is_latin(c: char) -> bool {
    match c as u32 {
        0x00D0 | 0x00F0 | 0x00D7 | 0x00F7 | 0x0131 | 0x0138 | 0x0149 | 0x017F => false,
        0x1E9A..=0x1E9F | 0x1EFA..=0x1EFF => false,
        // A-Z a-z, Latin-1, Latin Extended-A, Ơ Ư, ƀ Ƀ, Ș Ț, Latin Extended Additional (every Vietnamese vowel with its tone)
        0x0041..=0x005A | 0x0061..=0x007A | 0x00C0..=0x017F | 0x01A0 | 0x01A1 | 0x01AF | 0x01B0 => {
            true
        }
        0x0180 | 0x0243 | 0x0218..=0x021B | 0x1E00..=0x1EFF => true,
        _ => false,
    }
}

fn is_punctuation(c: char, kind: Kind) -> bool {
    match c {
        ' ' | '-' | '\'' | '.' => true,
        '0'..='9' | ',' | '/' | '(' | ')' => kind != Kind::Person,
        '&' | '+' | ':' | '"' | '\u{2013}' | '\u{2019}' | '\u{201C}' | '\u{201D}' => {
            kind == Kind::Organization
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(value: &str) -> Result<(), Fault> {
        judge(value, COMMON_NAME_CHARACTERS_MAX, Kind::Person)
    }

    #[test]
    fn vietnamese_names_pass_with_every_diacritic() {
        for name in [
            "Nguyễn Thị Hồng Ánh",
            "ĐẶNG VĂN ƯỚC",
            "Lê Đỗ Quỳnh Như",
            "Ỷ Lan",
            "Y Bĭh Niê",
            "H'Hen Êban",
            "Trần Văn A",
            "Ƀlŏ",
            "Y b\u{306}a",
            "Nguyễn-Phạm Ngọc Ẩn",
            "O'Connor J.",
            "PHẠM NGỮ LÃO",
            "Võ Nguyên Giáp ẵặẳằắ ợởỡờớ ựửữừứ",
        ] {
            assert_eq!(person(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn decomposed_names_are_refused() {
        let decomposed: String = "Nguyễn Thị Hồng Ánh".nfd().collect();
        assert_eq!(person(&decomposed), Err(Fault::NotNormalised));
        // the Angstrom sign composes to Å
        assert_eq!(person("\u{212B}ke"), Err(Fault::NotNormalised));
    }

    #[test]
    fn letters_that_pass_for_others_are_refused() {
        for (name, code) in [
            ("Nguy\u{0435}n", 0x0435),    // Cyrillic е
            ("\u{0410}\u{0412}", 0x0410), // all Cyrillic
            ("\u{039D}guyen", 0x039D),    // Greek capital nu
            ("\u{FF21}nh", 0xFF21),       // fullwidth
            ("\u{1D400}nh", 0x1D400),     // mathematical bold
            ("\u{00D0}ặng", 0x00D0),      // eth for Đ
            ("\u{0189}ặng", 0x0189),      // African D for Đ
            ("L\u{0131}nh", 0x0131),      // dotless i
            ("\u{0251}nh", 0x0251),       // IPA alpha
            ("\u{01C0}an", 0x01C0),       // click for l
            ("阮", 0x962E),
        ] {
            assert_eq!(person(name), Err(Fault::Homoglyph(code)), "{name}");
        }
    }

    #[test]
    fn control_and_invisible_characters_are_refused() {
        for code in [
            0x00, 0x07, 0x0A, 0x0D, 0x1B, 0x7F, 0x85, 0xA0, 0xAD, 0x200B, 0x200D, 0x200E, 0x202E,
            0x2066, 0x3000, 0xFEFF, 0xE0041, 0xE000,
        ] {
            let name = format!("An{}h", char::from_u32(code).unwrap());
            assert_eq!(person(&name), Err(Fault::Invisible(code)), "U+{code:04X}");
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert_eq!(person(&"Ễ".repeat(64)), Ok(()));
        assert_eq!(
            person(&"Ễ".repeat(65)),
            Err(Fault::TooLong {
                characters: 65,
                most: 64
            })
        );
        assert!(matches!(
            person(&"a".repeat(1_000_000)),
            Err(Fault::TooLong { .. })
        ));
    }

    #[test]
    fn spaces_and_strange_characters_are_refused() {
        assert_eq!(person(""), Err(Fault::Empty));
        assert_eq!(person("  "), Err(Fault::Empty));
        assert_eq!(person(" An"), Err(Fault::Spaces));
        assert_eq!(person("An "), Err(Fault::Spaces));
        assert_eq!(person("An  B"), Err(Fault::Spaces));
        assert_eq!(person("An;B"), Err(Fault::Unexpected(';' as u32)));
        assert_eq!(person("An 2"), Err(Fault::Unexpected('2' as u32)));
        assert_eq!(person("An\u{1F600}"), Err(Fault::Unexpected(0x1F600)));
        assert_eq!(person("\u{306}An"), Err(Fault::Unexpected(0x306)));
        assert_eq!(person("b\u{306}\u{306}"), Err(Fault::Unexpected(0x306)));
    }

    #[test]
    fn places_and_organisations_carry_their_own_punctuation() {
        assert_eq!(
            judge("Phường 12, Quận 3", PLACE_CHARACTERS_MAX, Kind::Place),
            Ok(())
        );
        assert_eq!(
            judge(
                "Công ty TNHH A & B (Việt Nam)",
                COMMON_NAME_CHARACTERS_MAX,
                Kind::Organization
            ),
            Ok(())
        );
        assert_eq!(
            judge("A & B", PLACE_CHARACTERS_MAX, Kind::Place),
            Err(Fault::Unexpected('&' as u32))
        );
    }

    #[test]
    fn identities_are_a_kind_and_a_number() {
        for good in [
            "CCCD:079200000001",
            "MST:0100000001",
            "HC:C1234567",
            "MST:0100000001-001",
        ] {
            assert!(check_identity(good).is_ok(), "{good}");
        }
        for bad in [
            "079200000001",
            "CCCD:07920000000",
            "CCCD:0792000000012",
            "CCCD:07920000000A",
            "cccd:079200000001",
            "CCCD:",
            ":1",
            "CCCD:07920000000\u{0660}",
        ] {
            assert!(check_identity(bad).is_err(), "{bad}");
        }
    }
}
