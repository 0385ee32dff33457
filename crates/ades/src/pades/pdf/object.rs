//! PDF objects (ISO 32000-1 7.3) as read, and as written again.
//!
//! Reals keep the text they had in the file, so that an object read and written again means the same to the last digit.

/// The number and generation of an indirect object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Object number.
    pub number: u32,
    /// Generation number.
    pub generation: u16,
}

/// A direct object, or a reference to an indirect one.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// An integer that fits.
    Integer(i64),
    /// Any other number, as spelt.
    Real(Vec<u8>),
    /// A string's bytes.
    String(Vec<u8>),
    /// A name's bytes, without the solidus and with `#xx` resolved.
    Name(Vec<u8>),
    /// An array.
    Array(Vec<Object>),
    /// A dictionary.
    Dictionary(Dictionary),
    /// A reference.
    Reference(Reference),
}

/// A dictionary in the order of the file. Of equal keys the last one counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dictionary {
    entries: Vec<(Vec<u8>, Object)>,
}

impl Dictionary {
    /// An empty dictionary.
    pub fn new() -> Dictionary {
        Dictionary::default()
    }

    /// The value of a key; `null` counts as absent (7.3.7).
    pub fn get(&self, key: &[u8]) -> Option<&Object> {
        self.entries
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
            .filter(|value| **value != Object::Null)
    }

    /// Sets a key, keeping its place if it was there.
    pub fn set(&mut self, key: &[u8], value: Object) {
        match self.entries.iter_mut().rev().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key.to_vec(), value)),
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &[u8]) {
        self.entries.retain(|(name, _)| name != key);
    }

    /// The same with one more key: for building.
    #[must_use]
    pub fn with(mut self, key: &[u8], value: impl Into<Object>) -> Dictionary {
        self.set(key, value.into());
        self
    }

    /// Adds an entry as read, without looking for an equal key.
    pub(super) fn push(&mut self, key: Vec<u8>, value: Object) {
        self.entries.push((key, value));
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Object)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_slice(), value))
    }

    /// Writes the dictionary.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<<");
        for (key, value) in &self.entries {
            write_name(key, out);
            if !matches!(
                value,
                Object::Name(_) | Object::String(_) | Object::Array(_) | Object::Dictionary(_)
            ) {
                out.push(b' ');
            }
            value.write(out);
        }
        out.extend_from_slice(b">>");
    }
}

impl Object {
    /// A name.
    pub fn name(name: &str) -> Object {
        Object::Name(name.as_bytes().to_vec())
    }

    /// A text string (7.9.2.2): ASCII as it is, anything else as UTF-16BE with its mark.
    pub fn text(text: &str) -> Object {
        if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Object::String(text.as_bytes().to_vec());
        }
        let mut bytes = vec![0xfe, 0xff];
        bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
        Object::String(bytes)
    }

    /// A real with three decimals at most.
    pub fn real(value: f32) -> Object {
        Object::Real(decimal(value).into_bytes())
    }

    /// An array of reals.
    pub fn reals(values: &[f32]) -> Object {
        Object::Array(values.iter().map(|value| Object::real(*value)).collect())
    }

    /// The integer, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Object::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, integer or real, if it is a finite one.
    pub fn as_number(&self) -> Option<f32> {
        match self {
            Object::Integer(value) => Some(*value as f32),
            Object::Real(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
        .filter(|value: &f32| value.is_finite())
    }

    /// The bytes of a name.
    pub fn as_name(&self) -> Option<&[u8]> {
        match self {
            Object::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The bytes of a string.
    pub fn as_string(&self) -> Option<&[u8]> {
        match self {
            Object::String(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Object]> {
        match self {
            Object::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The dictionary.
    pub fn as_dictionary(&self) -> Option<&Dictionary> {
        match self {
            Object::Dictionary(dictionary) => Some(dictionary),
            _ => None,
        }
    }

    /// The reference.
    pub fn as_reference(&self) -> Option<Reference> {
        match self {
            Object::Reference(reference) => Some(*reference),
            _ => None,
        }
    }

    /// Writes the object.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Object::Null => out.extend_from_slice(b"null"),
            Object::Boolean(true) => out.extend_from_slice(b"true"),
            Object::Boolean(false) => out.extend_from_slice(b"false"),
            Object::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Object::Real(text) => out.extend_from_slice(text),
            Object::String(bytes) => write_string(bytes, out),
            Object::Name(name) => write_name(name, out),
            Object::Array(elements) => {
                out.push(b'[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(b' ');
                    }
                    element.write(out);
                }
                out.push(b']');
            }
            Object::Dictionary(dictionary) => dictionary.write(out),
            Object::Reference(Reference { number, generation }) => {
                out.extend_from_slice(format!("{number} {generation} R").as_bytes());
            }
        }
    }
}

impl From<i64> for Object {
    fn from(value: i64) -> Object {
        Object::Integer(value)
    }
}

impl From<Reference> for Object {
    fn from(reference: Reference) -> Object {
        Object::Reference(reference)
    }
}

impl From<Dictionary> for Object {
    fn from(dictionary: Dictionary) -> Object {
        Object::Dictionary(dictionary)
    }
}

impl From<Vec<Object>> for Object {
    fn from(elements: Vec<Object>) -> Object {
        Object::Array(elements)
    }
}

/// Text of a text string (7.9.2.2), for comparing names: UTF-16BE, UTF-8 (PDF 2.0) or one octet a character.
pub fn text_of(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, rest @ ..] => {
            let units = rest
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units)
                .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// A number with three decimals at most and no exponent, which PDF does not know.
pub fn decimal(value: f32) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

fn write_name(name: &[u8], out: &mut Vec<u8>) {
    out.push(b'/');
    for &byte in name {
        let regular = byte.is_ascii_graphic() && !b"()<>[]{}/%#".contains(&byte);
        if regular {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("#{byte:02X}").as_bytes());
        }
    }
}

fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    let plain = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    if plain {
        out.push(b'(');
        for &byte in bytes {
            if b"()\\".contains(&byte) {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b')');
    } else {
        write_hexadecimal(bytes, out);
    }
}

/// Writes `<…>`.
pub fn write_hexadecimal(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend(hexadecimal(bytes));
    out.push(b'>');
}

/// Hexadecimal digits, lower case.
pub fn hexadecimal(bytes: &[u8]) -> impl Iterator<Item = u8> + '_ {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| {
        [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]
    })
}
