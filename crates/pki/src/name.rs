//! Distinguished names: made from a person's or an organisation's attributes, read from anybody's, compared by octets.
//!
//! RFC 5280 §4.1.2.4 and appendix A.1 (attributes, upper bounds), RFC 4519 (`UID`), TCVN 6909 and Unicode NFC for
//! Vietnamese. The order of what we make is `C, ST, L, O, OU, CN, UID`, and it is shown in the order it is written.
//!
//! # Invariants
//! - A name keeps the octets it came as; two names are equal when their octets are (RFC 5280 §7.1 asks issuers to
//!   write their own name always the same way).
//! - What we make is NFC, has no control or invisible characters, and stays inside the upper bounds.
//! - `Debug` never shows an attribute: names are personal data.

use std::fmt;
use std::hash::{Hash, Hasher};

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3280, rfc4519};
use unicode_normalization::is_nfc;

use crate::limits::{NAME_ATTRIBUTES_MOST, NAME_OCTETS_MOST};
use crate::wire::{self, Reader, SEQUENCE, SET};
use crate::{Error, Result};

const WHAT: &str = "name";
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const BMP_STRING: u8 = 0x1e;

/// What a name is made from. `country` and `common_name` are required.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SubjectName {
    /// `C`: two capital letters, `VN`.
    pub country: String,
    /// `ST`: the province.
    pub province: Option<String>,
    /// `L`: the commune, ward or special zone.
    pub commune: Option<String>,
    /// `O`: the organisation.
    pub organization: Option<String>,
    /// `OU`: its unit.
    pub organizational_unit: Option<String>,
    /// `CN`: the person's full name as on the card, or the organisation's or authority's name.
    pub common_name: String,
    /// `UID`: kind and number, `CCCD:079200000001`, `MST:0100000001`.
    pub identity: Option<String>,
}

/// A distinguished name; keeps its octets.
#[derive(Clone)]
pub struct Name {
    der: Vec<u8>,
    attributes: Vec<Attribute>,
}

/// One attribute of a name.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its type.
    pub oid: ObjectIdentifier,
    /// The ASN.1 tag of the string.
    pub tag: u8,
    /// The value as text; undecodable octets are replaced.
    pub value: String,
    /// Whether it stands in the same relative name as the one before it (`+`).
    pub joined: bool,
}

/// Type, short name, the upper bound in characters of RFC 5280 appendix A.1 (`UID`: X.520).
const KNOWN: [(ObjectIdentifier, &str, usize); 9] = [
    (rfc4519::COUNTRY_NAME, "C", 2),
    (rfc4519::ST, "ST", 128),
    (rfc4519::LOCALITY_NAME, "L", 128),
    (rfc4519::ORGANIZATION_NAME, "O", 64),
    (rfc4519::ORGANIZATIONAL_UNIT_NAME, "OU", 64),
    (rfc4519::COMMON_NAME, "CN", 64),
    (rfc4519::UID, "UID", 256),
    (rfc3280::EMAIL_ADDRESS, "E", 255),
    (rfc4519::SERIAL_NUMBER, "SERIALNUMBER", 64),
];

impl SubjectName {
    /// The name in DER. `C` is a PrintableString, everything else UTF8String (RFC 5280 §4.1.2.4).
    /// Refuses what the invariants forbid, naming the attribute and never its value.
    pub fn encode(&self) -> Result<Name> {
        if !is_country(&self.country) {
            return Err(Error::Field {
                field: "C",
                rule: "must be two capital letters",
            });
        }
        let texts = [
            (rfc4519::ST, self.province.as_deref()),
            (rfc4519::LOCALITY_NAME, self.commune.as_deref()),
            (rfc4519::ORGANIZATION_NAME, self.organization.as_deref()),
            (
                rfc4519::ORGANIZATIONAL_UNIT_NAME,
                self.organizational_unit.as_deref(),
            ),
            (rfc4519::COMMON_NAME, Some(self.common_name.as_str())),
            (rfc4519::UID, self.identity.as_deref()),
        ];
        let mut names = relative_name(rfc4519::COUNTRY_NAME, PRINTABLE_STRING, &self.country);
        for (oid, text) in texts {
            let Some(text) = text else { continue };
            if let Some(rule) = broken_rule(oid, text) {
                return Err(Error::Field {
                    field: short_name(oid).unwrap_or("attribute"),
                    rule,
                });
            }
            names.extend(relative_name(oid, UTF8_STRING, text));
        }
        Name::from_der(&wire::sequence(&[&names]))
    }
}

impl Name {
    /// Reads a name in any of the string types in use. Empty names are read too (a subject may be empty).
    pub fn from_der(der: &[u8]) -> Result<Name> {
        let mut list = Reader::open(WHAT, der, SEQUENCE, NAME_OCTETS_MOST)?;
        let mut attributes = Vec::new();
        while !list.is_empty() {
            let mut relative = list.inside(SET)?;
            let mut joined = false;
            // An empty SET is not a RelativeDistinguishedName (SIZE 1..MAX): `any` refuses it.
            loop {
                if attributes.len() == NAME_ATTRIBUTES_MOST {
                    return Err(Error::TooMany {
                        what: "name attributes",
                        most: NAME_ATTRIBUTES_MOST,
                    });
                }
                let mut attribute = relative.inside(SEQUENCE)?;
                let oid = attribute.oid()?;
                let value = attribute.any()?;
                attribute.end()?;
                attributes.push(Attribute {
                    oid,
                    tag: value.tag,
                    value: text(value.tag, value.value),
                    joined,
                });
                joined = true;
                if relative.is_empty() {
                    break;
                }
            }
        }
        Ok(Name {
            der: der.to_vec(),
            attributes,
        })
    }

    /// The octets.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it has no attribute.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The attributes in the order written.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The last attribute of this type: the most specific one.
    pub fn attribute(&self, oid: ObjectIdentifier) -> Option<&str> {
        let found = self.attributes.iter().rev().find(|one| one.oid == oid);
        found.map(|one| one.value.as_str())
    }

    /// `CN`.
    pub fn common_name(&self) -> Option<&str> {
        self.attribute(rfc4519::COMMON_NAME)
    }

    /// `UID`: kind and number.
    pub fn identity(&self) -> Option<&str> {
        self.attribute(rfc4519::UID)
    }

    /// `O`.
    pub fn organization(&self) -> Option<&str> {
        self.attribute(rfc4519::ORGANIZATION_NAME)
    }
}

/// `C=VN,ST=…,L=…,CN=…,UID=CCCD:…`: in the order written, values escaped as RFC 4514 §2.4 says.
impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attribute) in self.attributes.iter().enumerate() {
            if index > 0 {
                formatter.write_str(if attribute.joined { "+" } else { "," })?;
            }
            match short_name(attribute.oid) {
                Some(short) => write!(formatter, "{short}=")?,
                None => write!(formatter, "{}=", attribute.oid)?,
            }
            write_escaped(formatter, &attribute.value)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Name({} attributes)", self.attributes.len())
    }
}

impl fmt::Debug for SubjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SubjectName(…)")
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Attribute({})", self.oid)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.der == other.der
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der.hash(state);
    }
}

/// The short name of an attribute type we know.
pub(crate) fn short_name(oid: ObjectIdentifier) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(known, ..)| *known == oid);
    known.map(|(_, short, _)| *short)
}

/// The rule that a value we would write breaks, if any.
pub(crate) fn broken_rule(oid: ObjectIdentifier, text: &str) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(known, ..)| *known == oid);
    let characters_most = known.map_or(64, |(.., most)| *most);
    if text.is_empty() {
        Some("must not be empty")
    } else if text.chars().count() > characters_most {
        Some("must stay inside the upper bound of RFC 5280")
    } else if text.chars().any(is_invisible) {
        Some("must not have control or invisible characters")
    } else if text.trim() != text || text.contains("  ") {
        Some("must not begin or end with a space nor have two in a row")
    } else if !is_nfc(text) {
        Some("must be in Unicode normalisation form C")
    } else {
        None
    }
}

/// Two capital letters.
pub(crate) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_uppercase())
}

/// Characters that change what is read without being seen: controls, zero widths, direction marks, soft hyphen,
/// variation selectors, tags, byte order mark, private use, and spaces other than U+0020.
fn is_invisible(character: char) -> bool {
    let is_space = character.is_whitespace() && character != ' ';
    character.is_control()
        || is_space
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

fn relative_name(oid: ObjectIdentifier, tag: u8, text: &str) -> Vec<u8> {
    let value = wire::tlv(tag, &[text.as_bytes()]);
    let attribute = wire::sequence(&[&wire::oid(oid), &value]);
    wire::tlv(SET, &[&attribute])
}

/// The text of a DirectoryString or IA5String; anything else becomes hexadecimal after `#`, as RFC 4514 §2.4 has it.
fn text(tag: u8, value: &[u8]) -> String {
    match tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => String::from_utf8_lossy(value).into_owned(),
        // T.61 in practice means Latin-1.
        TELETEX_STRING => value.iter().map(|octet| char::from(*octet)).collect(),
        BMP_STRING => {
            let units: Vec<u16> = value
                .chunks(2)
                .map(|pair| {
                    pair.iter()
                        .fold(0, |unit, octet| unit << 8 | u16::from(*octet))
                })
                .collect();
            String::from_utf16_lossy(&units)
        }
        _ => value.iter().fold(String::from("#"), |text, octet| {
            format!("{text}{octet:02x}")
        }),
    }
}

fn write_escaped(formatter: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let is_special = matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (character == ' ' && (index == 0 || index == last))
            || (character == '#' && index == 0);
        match character {
            '\0'..='\x1f' | '\x7f' => write!(formatter, "\\{:02X}", character as u32)?,
            _ if is_special => write!(formatter, "\\{character}")?,
            _ => write!(formatter, "{character}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn citizen() -> SubjectName {
        SubjectName {
            country: "VN".into(),
            province: Some("Thành phố Hồ Chí Minh".into()),
            commune: Some("Phường Vườn Lài".into()),
            common_name: "Nguyễn Thị Minh Ánh".into(),
            identity: Some("CCCD:079200000001".into()),
            ..SubjectName::default()
        }
    }

    fn rule_for(common_name: &str) -> Option<&'static str> {
        let name = SubjectName {
            common_name: common_name.into(),
            ..citizen()
        };
        match name.encode() {
            Err(Error::Field { field: "CN", rule }) => Some(rule),
            Ok(_) => None,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_citizens_name_is_written_and_shown_in_the_agreed_order() {
        let name = citizen().encode().unwrap();
        assert_eq!(
            name.to_string(),
            "C=VN,ST=Thành phố Hồ Chí Minh,L=Phường Vườn Lài,CN=Nguyễn Thị Minh Ánh,UID=CCCD:079200000001"
        );
        assert_eq!(name.identity(), Some("CCCD:079200000001"));
        assert_eq!(name.attributes()[0].tag, PRINTABLE_STRING);
        assert!(
            name.attributes()[1..]
                .iter()
                .all(|one| one.tag == UTF8_STRING)
        );
        assert_eq!(Name::from_der(name.as_der()), Ok(name));
    }

    #[test]
    fn decomposed_invisible_and_padded_names_are_refused() {
        assert_eq!(rule_for("Trần Văn Đức"), None);
        assert!(
            rule_for("Nguye\u{302}\u{303}n")
                .unwrap()
                .contains("normalisation")
        );
        for bad in [
            "An\u{200b}h",
            "An\u{202e}h",
            "An\u{a0}h",
            "An\nh",
            "A\u{feff}",
            "A\u{ad}nh",
        ] {
            assert!(rule_for(bad).unwrap().contains("invisible"), "{bad:?}");
        }
        for bad in [" Anh", "Anh ", "An  h"] {
            assert!(rule_for(bad).unwrap().contains("space"), "{bad:?}");
        }
        assert!(rule_for("").unwrap().contains("empty"));
        assert_eq!(rule_for(&"ễ".repeat(64)), None);
        assert!(rule_for(&"ễ".repeat(65)).unwrap().contains("bound"));
    }

    #[test]
    fn a_country_is_two_capital_letters() {
        for country in ["", "vn", "VNM", "V1", "Đ"] {
            let name = SubjectName {
                country: country.into(),
                ..citizen()
            };
            assert!(name.encode().is_err(), "{country}");
        }
    }

    #[test]
    fn separators_inside_a_value_are_escaped() {
        let name = SubjectName {
            common_name: "A, B+C=D;\"E\"\\<F>".into(),
            ..citizen()
        };
        let shown = name.encode().unwrap().to_string();
        assert!(
            shown.contains(r#"CN=A\, B\+C=D\;\"E\"\\\<F\>,UID="#),
            "{shown}"
        );
    }

    #[test]
    fn debug_shows_nobody() {
        let name = citizen();
        let shown = format!(
            "{name:?}{0:?}{1:?}",
            name.encode().unwrap(),
            name.encode().unwrap().attributes()
        );
        assert!(!shown.contains("Ánh") && !shown.contains("079"), "{shown}");
    }

    #[test]
    fn empty_relative_names_are_refused_and_an_empty_name_is_not() {
        assert!(Name::from_der(&[0x30, 2, 0x31, 0]).is_err());
        assert!(Name::from_der(&[0x30, 0]).unwrap().is_empty());
    }
}
