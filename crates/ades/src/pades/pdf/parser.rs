//! From bytes to objects (ISO 32000-1 7.2, 7.3).
//!
//! Invariants: depth is bounded by [`DEPTH_MAX`]; every octet looked at is charged to the document's [`Budget`], so a
//! file that refers to the same place a million times stops being read.

use std::cell::Cell;

use super::object::{Dictionary, Object, Reference};
use crate::Error;

/// Deepest nesting of arrays and dictionaries.
pub const DEPTH_MAX: usize = 64;
/// Octets that may be looked at, reading one document; repeated reading counts again.
const LEXED_MAX: usize = 48 << 20;
/// What an object costs besides its octets: its place in memory.
const OBJECT_COST: usize = 64;
/// Longest string or name, in octets.
const STRING_MAX: usize = 4 << 20;
/// Octets that may be inflated, reading one document.
const INFLATED_MAX: usize = 64 << 20;

/// What is left of what reading one document may cost.
pub struct Budget {
    lexed: Cell<usize>,
    inflated: Cell<usize>,
}

impl Budget {
    /// The whole allowance.
    pub fn new() -> Budget {
        Budget {
            lexed: Cell::new(LEXED_MAX),
            inflated: Cell::new(INFLATED_MAX),
        }
    }

    /// Takes octets looked at (or as much work of another kind).
    pub fn charge(&self, octets: usize) -> Result<(), Error> {
        let left = self
            .lexed
            .get()
            .checked_sub(octets)
            .ok_or(Error::TooComplex {
                limit: "octets looked at",
            })?;
        self.lexed.set(left);
        Ok(())
    }

    /// How much may still be inflated.
    pub fn inflatable(&self) -> usize {
        self.inflated.get()
    }

    /// Takes inflated octets.
    pub fn charge_inflated(&self, octets: usize) -> Result<(), Error> {
        let left = self
            .inflated
            .get()
            .checked_sub(octets)
            .ok_or(Error::TooComplex {
                limit: "octets inflated",
            })?;
        self.inflated.set(left);
        Ok(())
    }
}

/// A place in some bytes.
pub struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    charged: usize,
    budget: &'a Budget,
}

impl<'a> Parser<'a> {
    /// Starts at an offset; one past the end reads as the end.
    pub fn new(bytes: &'a [u8], at: usize, budget: &'a Budget) -> Parser<'a> {
        let at = at.min(bytes.len());
        Parser {
            bytes,
            at,
            charged: at,
            budget,
        }
    }

    /// Where it is.
    pub fn at(&self) -> usize {
        self.at
    }

    /// An error here.
    pub fn broken(&self, reason: &'static str) -> Error {
        Error::Broken {
            reason,
            at: self.at,
        }
    }

    /// Skips white space and comments, and charges what was read so far.
    pub fn skip_space(&mut self) -> Result<(), Error> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte == b'%' {
                while self
                    .bytes
                    .get(self.at)
                    .is_some_and(|byte| !matches!(byte, b'\r' | b'\n'))
                {
                    self.at += 1;
                }
            } else if is_space(byte) {
                self.at += 1;
            } else {
                break;
            }
        }
        self.charge()
    }

    /// Takes a keyword if it is next, and a whole one.
    pub fn keyword(&mut self, keyword: &[u8]) -> Result<bool, Error> {
        self.skip_space()?;
        let end = self.at + keyword.len();
        let found = self.bytes[self.at..].starts_with(keyword)
            && self.bytes.get(end).is_none_or(|byte| !is_regular(*byte));
        if found {
            self.at = end;
        }
        Ok(found)
    }

    /// Takes an unsigned integer if it is next.
    pub fn unsigned(&mut self) -> Result<Option<u64>, Error> {
        self.skip_space()?;
        let digits = self.bytes[self.at..]
            .iter()
            .take(20)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let end = self.at + digits;
        if digits == 0 || self.bytes.get(end).is_some_and(|byte| is_regular(*byte)) {
            return Ok(None);
        }
        let value = std::str::from_utf8(&self.bytes[self.at..end])
            .ok()
            .and_then(|text| text.parse().ok());
        if value.is_some() {
            self.at = end;
        }
        Ok(value)
    }

    /// Reads `number generation obj`.
    pub fn indirect_header(&mut self) -> Result<Reference, Error> {
        let number = self.unsigned()?.and_then(|value| u32::try_from(value).ok());
        let generation = self.unsigned()?.and_then(|value| u16::try_from(value).ok());
        match (number, generation, self.keyword(b"obj")?) {
            (Some(number), Some(generation), true) => Ok(Reference { number, generation }),
            _ => Err(self.broken("no object where the cross-reference says")),
        }
    }

    /// After a stream's dictionary: takes `stream` and its line end, and gives where the data start.
    pub fn stream_data(&mut self) -> Result<Option<usize>, Error> {
        if !self.keyword(b"stream")? {
            return Ok(None);
        }
        // 7.3.8.1: CR LF or LF; a lone CR is wrong but common, and then the data start right after it.
        match self.bytes.get(self.at..self.at + 2) {
            Some(b"\r\n") => self.at += 2,
            Some([b'\n' | b'\r', _]) => self.at += 1,
            _ => return Err(self.broken("stream keyword without line end")),
        }
        Ok(Some(self.at))
    }

    /// Reads an object.
    pub fn object(&mut self) -> Result<Object, Error> {
        self.object_at_depth(0)
    }

    /// Reads a dictionary.
    pub fn dictionary(&mut self) -> Result<Dictionary, Error> {
        match self.object()? {
            Object::Dictionary(dictionary) => Ok(dictionary),
            _ => Err(self.broken("no dictionary where one is due")),
        }
    }

    fn object_at_depth(&mut self, depth: usize) -> Result<Object, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::TooComplex { limit: "nesting" });
        }
        self.skip_space()?;
        let rest = &self.bytes[self.at..];
        let object = match rest {
            [b'<', b'<', ..] => self.dictionary_at_depth(depth)?,
            [b'<', ..] => Object::String(self.hexadecimal_string()?),
            [b'(', ..] => Object::String(self.literal_string()?),
            [b'/', ..] => Object::Name(self.name()?),
            [b'[', ..] => self.array_at_depth(depth)?,
            [b'0'..=b'9' | b'+' | b'-' | b'.', ..] => self.number_or_reference()?,
            _ if self.keyword(b"null")? => Object::Null,
            _ if self.keyword(b"true")? => Object::Boolean(true),
            _ if self.keyword(b"false")? => Object::Boolean(false),
            [] => return Err(self.broken("file ends within an object")),
            _ => return Err(self.broken("no object where one is due")),
        };
        self.charge()?;
        self.budget.charge(OBJECT_COST)?;
        Ok(object)
    }

    fn dictionary_at_depth(&mut self, depth: usize) -> Result<Object, Error> {
        self.at += 2;
        let mut dictionary = Dictionary::new();
        loop {
            self.skip_space()?;
            match &self.bytes[self.at..] {
                [b'>', b'>', ..] => {
                    self.at += 2;
                    return Ok(Object::Dictionary(dictionary));
                }
                [b'/', ..] => {
                    let key = self.name()?;
                    let value = self.object_at_depth(depth + 1)?;
                    dictionary.push(key, value);
                }
                _ => return Err(self.broken("dictionary key is not a name")),
            }
        }
    }

    fn array_at_depth(&mut self, depth: usize) -> Result<Object, Error> {
        self.at += 1;
        let mut elements = Vec::new();
        loop {
            self.skip_space()?;
            if self.bytes.get(self.at) == Some(&b']') {
                self.at += 1;
                return Ok(Object::Array(elements));
            }
            elements.push(self.object_at_depth(depth + 1)?);
        }
    }

    fn name(&mut self) -> Result<Vec<u8>, Error> {
        self.at += 1;
        let mut name = Vec::new();
        while let Some(&byte) = self.bytes.get(self.at) {
            if !is_regular(byte) {
                break;
            }
            check_length(&name)?;
            self.at += 1;
            let escaped = (byte == b'#')
                .then(|| self.bytes.get(self.at..self.at + 2))
                .flatten()
                .and_then(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
            match escaped {
                Some(value) => {
                    name.push(value);
                    self.at += 2;
                }
                None => name.push(byte),
            }
        }
        Ok(name)
    }

    fn number_or_reference(&mut self) -> Result<Object, Error> {
        let start = self.at;
        while self
            .bytes
            .get(self.at)
            .is_some_and(|byte| is_regular(*byte))
        {
            self.at += 1;
        }
        let text = &self.bytes[start..self.at];
        let Some(value) = integer(text) else {
            let plausible = text
                .iter()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.'));
            return if plausible {
                Ok(Object::Real(text.to_vec()))
            } else {
                Err(self.broken("malformed number"))
            };
        };
        if let Ok(number) = u32::try_from(value) {
            let after = self.at;
            if let Some(generation) = self.unsigned()?.and_then(|value| u16::try_from(value).ok())
                && self.keyword(b"R")?
            {
                return Ok(Object::Reference(Reference { number, generation }));
            }
            self.at = after;
        }
        Ok(Object::Integer(value))
    }

    fn hexadecimal_string(&mut self) -> Result<Vec<u8>, Error> {
        self.at += 1;
        let mut bytes = Vec::new();
        let mut half = None;
        loop {
            check_length(&bytes)?;
            let byte = *self
                .bytes
                .get(self.at)
                .ok_or_else(|| self.broken("file ends within a string"))?;
            self.at += 1;
            match (byte, digit(byte), half) {
                (b'>', _, None) => return Ok(bytes),
                (b'>', _, Some(high)) => {
                    bytes.push(high << 4);
                    return Ok(bytes);
                }
                (_, Some(high), None) => half = Some(high),
                (_, Some(low), Some(high)) => {
                    bytes.push(high << 4 | low);
                    half = None;
                }
                _ if is_space(byte) => {}
                _ => return Err(self.broken("hexadecimal string with another character")),
            }
        }
    }

    fn literal_string(&mut self) -> Result<Vec<u8>, Error> {
        self.at += 1;
        let mut bytes = Vec::new();
        let mut open = 1usize;
        loop {
            check_length(&bytes)?;
            let byte = self.literal_byte()?;
            match byte {
                b'(' => open += 1,
                b')' if open == 1 => return Ok(bytes),
                b')' => open -= 1,
                b'\\' => {
                    self.literal_escape(&mut bytes)?;
                    continue;
                }
                b'\r' => {
                    // 7.3.4.2: any line end reads as LF.
                    if self.bytes.get(self.at) == Some(&b'\n') {
                        self.at += 1;
                    }
                    bytes.push(b'\n');
                    continue;
                }
                _ => {}
            }
            bytes.push(byte);
        }
    }

    fn literal_byte(&mut self) -> Result<u8, Error> {
        let byte = *self
            .bytes
            .get(self.at)
            .ok_or_else(|| self.broken("file ends within a string"))?;
        self.at += 1;
        Ok(byte)
    }

    fn literal_escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let byte = self.literal_byte()?;
        match byte {
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'\n' => {}
            b'\r' => {
                if self.bytes.get(self.at) == Some(&b'\n') {
                    self.at += 1;
                }
            }
            b'0'..=b'7' => {
                let mut value = u32::from(byte - b'0');
                for _ in 0..2 {
                    match self.bytes.get(self.at) {
                        Some(&next @ b'0'..=b'7') => {
                            value = value * 8 + u32::from(next - b'0');
                            self.at += 1;
                        }
                        _ => break,
                    }
                }
                // 7.3.4.2: high-order overflow is ignored.
                bytes.push((value & 0xff) as u8);
            }
            other => bytes.push(other),
        }
        Ok(())
    }

    fn charge(&mut self) -> Result<(), Error> {
        // Going back (a reference that was none) is not paid back.
        let read = self.at.saturating_sub(self.charged);
        self.charged = self.at;
        self.budget.charge(read)
    }
}

fn check_length(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > STRING_MAX {
        return Err(Error::TooComplex {
            limit: "length of a string",
        });
    }
    Ok(())
}

/// White space, 7.2.2 table 1.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 12 | b'\r' | b' ')
}

fn is_regular(byte: u8) -> bool {
    !is_space(byte) && !b"()<>[]{}/%".contains(&byte)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Object, Error> {
        let budget = Budget::new();
        Parser::new(text, 0, &budget).object()
    }

    fn again(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        read(text).unwrap().write(&mut out);
        out
    }

    #[test]
    fn an_object_written_again_means_the_same() {
        for text in [
            b"<</A 1/B -2.50/C(x)/D[1 0 R 2 3]/E<</F/G#20H>>/I true/J null>>".as_slice(),
            b"[0.000010 +7. -.5]",
            b"<00ff>",
            b"(a\\(b\\)c\\\\)",
        ] {
            assert_eq!(
                read(&again(text)).unwrap(),
                read(text).unwrap(),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
        assert_eq!(again(b"[0.000010]"), b"[0.000010]");
    }

    #[test]
    fn strings_follow_the_rules_of_escapes_and_line_ends() {
        assert_eq!(
            read(b"(a(b)\\n\\101\\1012\r\nx\\\ny)").unwrap(),
            Object::String(b"a(b)\nAA2\nxy".to_vec())
        );
        assert_eq!(read(b"<4 1 4>").unwrap(), Object::String(b"A@".to_vec()));
    }

    #[test]
    fn numbers_before_other_things_are_not_references() {
        assert_eq!(
            read(b"[1 2 3 0 R 4 0 RG]").unwrap_err().code(),
            "pdf-broken"
        );
        assert_eq!(
            read(b"[1 2 3 0 R 4]").unwrap(),
            Object::Array(vec![
                Object::Integer(1),
                Object::Integer(2),
                Object::Reference(Reference {
                    number: 3,
                    generation: 0
                }),
                Object::Integer(4)
            ])
        );
    }

    #[test]
    fn nesting_beyond_the_bound_is_refused() {
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert!(matches!(
            read(&deep),
            Err(Error::TooComplex { limit: "nesting" })
        ));
        let deep = b"<</A".repeat(100_000);
        assert!(matches!(
            read(&deep),
            Err(Error::TooComplex { limit: "nesting" })
        ));
    }

    #[test]
    fn every_cut_of_an_object_is_refused_or_shorter() {
        let text = b"<</A[1 2 0 R(x\\051)]/B<4142>/C/D#41>>";
        for end in 0..text.len() {
            assert!(read(&text[..end]).is_err(), "cut at {end}");
        }
    }
}
