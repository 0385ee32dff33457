//! Reading DER by slices and writing it by pieces.
//!
//! The outer structures (certificate, CRL, OCSP, CMS) are read and written here rather than by a derive: what was
//! signed must stay the octets that came, and a derive decodes and encodes again. Inner values (extensions,
//! algorithm identifiers, times) are the types of `der` and `x509-cert`.
//!
//! Invariant: a reader never recurses; its depth is the depth of the code that calls it.

use std::time::Duration;

use const_oid::ObjectIdentifier;
use der::asn1::{GeneralizedTime, UtcTime};
use der::{DateTime, Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;

use crate::limits::{self, EXTENSIONS_MOST};
use crate::{Error, Result};

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// `[number]`, constructed: EXPLICIT, or IMPLICIT of a SEQUENCE or SET.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// `[number]` IMPLICIT of a primitive type.
pub(crate) const fn context_primitive(number: u8) -> u8 {
    0x80 | number
}

/// One element: all of its octets and its value.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub tag: u8,
    pub octets: &'a [u8],
    pub value: &'a [u8],
}

/// Reads the elements of one value, one after the other.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Over octets that may hold any number of elements.
    pub fn new(what: &'static str, octets: &'a [u8]) -> Reader<'a> {
        Reader { what, rest: octets }
    }

    /// Over the content of the one element with this tag that the octets are; checks all limits first.
    pub fn open(
        what: &'static str,
        der: &'a [u8],
        tag: u8,
        octets_most: usize,
    ) -> Result<Reader<'a>> {
        limits::check(what, der, octets_most)?;
        Reader::new(what, der).inside(tag)
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub fn malformed(&self) -> Error {
        Error::malformed(self.what)
    }

    /// The next element, whatever it is.
    pub fn any(&mut self) -> Result<Element<'a>> {
        let (header, length) = limits::header(self.what, self.rest)?;
        let end = header + length;
        if end > self.rest.len() {
            return Err(self.malformed());
        }
        let (octets, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Element {
            tag: octets[0],
            octets,
            value: &octets[header..],
        })
    }

    /// The next element, which must have this tag.
    pub fn element(&mut self, tag: u8) -> Result<Element<'a>> {
        if self.rest.first() != Some(&tag) {
            return Err(self.malformed());
        }
        self.any()
    }

    /// The next element if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>> {
        if self.rest.first() == Some(&tag) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    /// A reader over the value of the next element, which must have this tag.
    pub fn inside(&mut self, tag: u8) -> Result<Reader<'a>> {
        let value = self.element(tag)?.value;
        Ok(Reader::new(self.what, value))
    }

    /// A reader over the value of the next element if it has this tag.
    pub fn optional_inside(&mut self, tag: u8) -> Result<Option<Reader<'a>>> {
        let element = self.optional(tag)?;
        Ok(element.map(|element| Reader::new(self.what, element.value)))
    }

    /// Nothing may follow.
    pub fn end(self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.malformed())
        }
    }

    /// The content octets of an INTEGER in its shortest form.
    pub fn integer(&mut self) -> Result<&'a [u8]> {
        let value = self.element(INTEGER)?.value;
        match value {
            [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(self.malformed()),
            _ => Ok(value),
        }
    }

    /// An INTEGER that is not negative and fits 64 bits.
    pub fn small(&mut self) -> Result<u64> {
        let value = self.integer()?;
        if value[0] & 0x80 != 0 || value.len() > 9 || (value.len() == 9 && value[0] != 0) {
            return Err(self.malformed());
        }
        Ok(value
            .iter()
            .fold(0, |number, octet| number << 8 | u64::from(*octet)))
    }

    pub fn oid(&mut self) -> Result<ObjectIdentifier> {
        let element = self.element(OBJECT_IDENTIFIER)?;
        ObjectIdentifier::from_der(element.octets).map_err(Error::decoding(self.what))
    }

    /// A BIT STRING of whole octets.
    pub fn bits(&mut self) -> Result<&'a [u8]> {
        match self.element(BIT_STRING)?.value {
            [0, bits @ ..] => Ok(bits),
            _ => Err(self.malformed()),
        }
    }

    /// UTCTime or GeneralizedTime, milliseconds since 1970.
    pub fn time(&mut self) -> Result<i64> {
        let element = self.any()?;
        let duration = match element.tag {
            UTC_TIME => UtcTime::from_der(element.octets).map(|time| time.to_unix_duration()),
            GENERALIZED_TIME => {
                GeneralizedTime::from_der(element.octets).map(|time| time.to_unix_duration())
            }
            _ => return Err(self.malformed()),
        };
        let seconds = duration.map_err(Error::decoding(self.what))?.as_secs();
        i64::try_from(seconds * 1000).map_err(|_| self.malformed())
    }

    pub fn algorithm(&mut self) -> Result<AlgorithmIdentifierOwned> {
        let element = self.element(SEQUENCE)?;
        AlgorithmIdentifierOwned::from_der(element.octets).map_err(Error::decoding(self.what))
    }

    /// `Extensions ::= SEQUENCE OF Extension`. "A certificate MUST NOT include more than one instance of a
    /// particular extension" (RFC 5280 §4.2); the same holds wherever extensions appear.
    pub fn extensions(&mut self) -> Result<Vec<Extension>> {
        let mut list = self.inside(SEQUENCE)?;
        let mut extensions: Vec<Extension> = Vec::new();
        while !list.is_empty() {
            if extensions.len() == EXTENSIONS_MOST {
                return Err(Error::TooMany {
                    what: "extensions",
                    most: EXTENSIONS_MOST,
                });
            }
            let element = list.element(SEQUENCE)?;
            let extension =
                Extension::from_der(element.octets).map_err(Error::decoding(self.what))?;
            if extensions
                .iter()
                .any(|other| other.extn_id == extension.extn_id)
            {
                return Err(self.malformed());
            }
            extensions.push(extension);
        }
        Ok(extensions)
    }
}

/// One element from its tag and the pieces of its value.
pub(crate) fn tlv(tag: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut octets = Vec::with_capacity(length + 6);
    octets.push(tag);
    write_length(&mut octets, length);
    for piece in pieces {
        octets.extend_from_slice(piece);
    }
    octets
}

pub(crate) fn write_length(octets: &mut Vec<u8>, length: usize) {
    if length < 0x80 {
        octets.push(length as u8);
        return;
    }
    let bytes = length.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    octets.push(0x80 | (bytes.len() - skip) as u8);
    octets.extend_from_slice(&bytes[skip..]);
}

pub(crate) fn sequence(pieces: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, pieces)
}

/// A SET OF in DER order (X.690 §11.6): the encodings ascending.
pub(crate) fn set_of(tag: u8, mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    let pieces: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
    tlv(tag, &pieces)
}

/// An INTEGER that is not negative.
pub(crate) fn integer(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    let sign: &[u8] = if bytes[skip] & 0x80 != 0 { &[0] } else { &[] };
    tlv(INTEGER, &[sign, &bytes[skip..]])
}

pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], octets])
}

pub(crate) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    tlv(OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// The DER of a value of `der`, `spki` or `x509-cert` that we built: it cannot fail but for lack of memory.
pub(crate) fn encode(value: &impl Encode) -> Vec<u8> {
    value.to_der().expect("a value we built encodes")
}

/// UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5), cut to the second.
pub(crate) fn time(at: i64) -> Result<Vec<u8>> {
    let moment = moment(at)?;
    if moment.year() <= UtcTime::MAX_YEAR {
        let time = UtcTime::from_date_time(moment).map_err(Error::decoding("time"))?;
        return Ok(encode(&time));
    }
    Ok(encode(&GeneralizedTime::from_date_time(moment)))
}

/// GeneralizedTime, cut to the second, as OCSP wants it.
pub(crate) fn generalized_time(at: i64) -> Result<Vec<u8>> {
    Ok(encode(&GeneralizedTime::from_date_time(moment(at)?)))
}

pub(crate) fn extension(oid: ObjectIdentifier, is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if is_critical {
        &[BOOLEAN, 1, 0xff]
    } else {
        &[]
    };
    sequence(&[&self::oid(oid), critical, &tlv(OCTET_STRING, &[value])])
}

fn moment(at: i64) -> Result<DateTime> {
    let seconds = u64::try_from(at.div_euclid(1000)).map_err(|_| Error::Field {
        field: "time",
        rule: "must not be before 1970",
    })?;
    DateTime::from_unix_duration(Duration::from_secs(seconds)).map_err(|_| Error::Field {
        field: "time",
        rule: "must not be after 9999",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_shortest_and_positive() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 127]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(u64::MAX).len(), 11);
        for number in [0, 1, 127, 128, 255, 256, u64::MAX] {
            let der = integer(number);
            assert_eq!(Reader::new("test", &der).small(), Ok(number));
        }
    }

    #[test]
    fn padded_and_negative_integers_are_refused_where_small_ones_are_expected() {
        for der in [
            &[2, 2, 0, 1][..],
            &[2, 0],
            &[2, 2, 0xff, 0x80],
            &[2, 1, 0x80],
        ] {
            assert!(Reader::new("test", der).small().is_err(), "{der:?}");
        }
    }

    #[test]
    fn times_change_form_in_2050() {
        let end_of_2049 = 2_524_607_999_000;
        assert_eq!(time(end_of_2049).unwrap()[0], UTC_TIME);
        assert_eq!(time(end_of_2049 + 1000).unwrap()[0], GENERALIZED_TIME);
        for at in [0, end_of_2049, end_of_2049 + 1000] {
            assert_eq!(Reader::new("test", &time(at).unwrap()).time(), Ok(at));
        }
        assert_eq!(
            Reader::new("test", &time(1999).unwrap()).time(),
            Ok(1000),
            "cut to the second"
        );
        assert!(time(-1).is_err());
        assert!(time(i64::MAX).is_err());
    }

    #[test]
    fn a_set_is_written_in_ascending_order() {
        let set = set_of(SET, vec![integer(9), integer(3), integer(300)]);
        assert_eq!(set, [0x31, 10, 2, 1, 3, 2, 1, 9, 2, 2, 1, 44]);
    }

    #[test]
    fn an_extension_given_twice_is_refused() {
        let one = extension(const_oid::db::rfc5280::ID_CE_KEY_USAGE, true, &[5, 0]);
        let der = sequence(&[&one, &one]);
        assert!(Reader::new("test", &der).extensions().is_err());
        let der = sequence(&[&one]);
        assert_eq!(Reader::new("test", &der).extensions().unwrap().len(), 1);
    }
}
