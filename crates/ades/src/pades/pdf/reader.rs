//! Objects of a file, read when asked for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::DOCUMENT_BYTES_MAX;
use super::object::{Dictionary, Object, Reference};
use super::parser::{Budget, Parser};
use super::stream;
use super::xref::{CrossReference, Entry, stream_bytes};
use crate::Error;

/// Most steps from reference to reference until something else comes.
const HOPS_MAX: usize = 32;

/// A PDF file, opened at its newest cross-reference.
pub struct Reader<'a> {
    bytes: &'a [u8],
    budget: Budget,
    cross_reference: CrossReference,
    object_streams: RefCell<HashMap<u32, Rc<ObjectStream>>>,
}

/// A decoded object stream (7.5.7) and where its objects start.
struct ObjectStream {
    data: Vec<u8>,
    starts: HashMap<u32, usize>,
}

impl<'a> Reader<'a> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::NotPdf`], [`Error::TooLarge`], [`Error::Encrypted`], [`Error::Broken`], [`Error::TooComplex`].
    pub fn open(bytes: &'a [u8]) -> Result<Reader<'a>, Error> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(Error::TooLarge {
                bytes: bytes.len(),
                bytes_max: DOCUMENT_BYTES_MAX,
            });
        }
        let head = &bytes[..bytes.len().min(1024)];
        if !head.windows(5).any(|window| window == b"%PDF-") {
            return Err(Error::NotPdf);
        }
        let budget = Budget::new();
        let cross_reference = CrossReference::read(bytes, &budget)?;
        Ok(Reader {
            bytes,
            budget,
            cross_reference,
            object_streams: RefCell::default(),
        })
    }

    /// Size of the file in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: a file has at least its header.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The newest trailer.
    pub fn trailer(&self) -> &Dictionary {
        &self.cross_reference.trailer
    }

    /// Where the newest cross-reference section starts: `/Prev` of the next one.
    pub fn cross_reference_start(&self) -> usize {
        self.cross_reference.start
    }

    /// Whether the newest cross-reference section is a stream.
    pub fn has_xref_stream(&self) -> bool {
        self.cross_reference.is_stream
    }

    /// The lowest object number never used.
    pub fn next_number(&self) -> u32 {
        self.cross_reference.size
    }

    /// The version in the header, such as `1.7`; empty when it is none.
    pub fn header_version(&self) -> String {
        let head = &self.bytes[..self.bytes.len().min(1032)];
        let start = head
            .windows(5)
            .position(|window| window == b"%PDF-")
            .map_or(head.len(), |at| at + 5);
        head[start..]
            .iter()
            .take(3)
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
            .map(|byte| char::from(*byte))
            .collect()
    }

    /// Takes other work from what reading this document may cost.
    pub fn charge(&self, work: usize) -> Result<(), Error> {
        self.budget.charge(work)
    }

    /// An indirect object; a stream reads as its dictionary. What is free or absent is null (7.3.10).
    pub fn object(&self, reference: Reference) -> Result<Object, Error> {
        match self
            .cross_reference
            .entry(self.bytes, reference.number, &self.budget)?
        {
            Entry::Free => Ok(Object::Null),
            Entry::At { generation, .. } if generation != reference.generation => Ok(Object::Null),
            Entry::At { offset, .. } => {
                let mut parser = self.parser_of(reference, offset)?;
                parser.object()
            }
            Entry::Within { .. } if reference.generation != 0 => Ok(Object::Null),
            Entry::Within { stream } => self.object_within(stream, reference.number),
        }
    }

    /// The object itself, or what it refers to.
    pub fn resolve(&self, object: &Object) -> Result<Object, Error> {
        let mut object = object.clone();
        for _ in 0..HOPS_MAX {
            match object {
                Object::Reference(reference) => object = self.object(reference)?,
                other => return Ok(other),
            }
        }
        Err(Error::TooComplex {
            limit: "references to references",
        })
    }

    /// The resolved value of a key; `null` counts as absent.
    pub fn value(&self, dictionary: &Dictionary, key: &[u8]) -> Result<Option<Object>, Error> {
        match dictionary.get(key) {
            None => Ok(None),
            Some(object) => {
                Ok(Some(self.resolve(object)?).filter(|object| *object != Object::Null))
            }
        }
    }

    /// The dictionary under a key, if it is one.
    pub fn dictionary(
        &self,
        dictionary: &Dictionary,
        key: &[u8],
    ) -> Result<Option<Dictionary>, Error> {
        Ok(match self.value(dictionary, key)? {
            Some(Object::Dictionary(found)) => Some(found),
            _ => None,
        })
    }

    /// The array under a key, if it is one.
    pub fn array(&self, dictionary: &Dictionary, key: &[u8]) -> Result<Option<Vec<Object>>, Error> {
        Ok(match self.value(dictionary, key)? {
            Some(Object::Array(found)) => Some(found),
            _ => None,
        })
    }

    /// The catalog and its reference.
    pub fn catalog(&self) -> Result<(Reference, Dictionary), Error> {
        let broken = |reason| Error::Broken {
            reason,
            at: self.cross_reference.start,
        };
        let root = self
            .trailer()
            .get(b"Root")
            .and_then(Object::as_reference)
            .ok_or_else(|| broken("trailer without /Root"))?;
        match self.object(root)? {
            Object::Dictionary(catalog) => Ok((root, catalog)),
            _ => Err(broken("catalog is not a dictionary")),
        }
    }

    /// Four numbers, as a rectangle with the lower left corner first (7.9.5).
    pub fn rectangle(&self, object: &Object) -> Result<Option<[f32; 4]>, Error> {
        let Object::Array(elements) = self.resolve(object)? else {
            return Ok(None);
        };
        let [a, b, c, d] = elements.as_slice() else {
            return Ok(None);
        };
        let number = |object: &Object| Ok::<_, Error>(self.resolve(object)?.as_number());
        Ok(match (number(a)?, number(b)?, number(c)?, number(d)?) {
            (Some(a), Some(b), Some(c), Some(d)) => Some([a.min(c), b.min(d), a.max(c), b.max(d)]),
            _ => None,
        })
    }

    fn parser_of(&self, reference: Reference, offset: usize) -> Result<Parser<'_>, Error> {
        let mut parser = Parser::new(self.bytes, offset, &self.budget);
        let header = parser.indirect_header()?;
        if header == reference {
            Ok(parser)
        } else {
            Err(Error::Broken {
                reason: "another object where the cross-reference says",
                at: offset,
            })
        }
    }

    fn object_within(&self, stream: u32, number: u32) -> Result<Object, Error> {
        let stream = self.object_stream(stream)?;
        let Some(&start) = stream.starts.get(&number) else {
            return Ok(Object::Null);
        };
        Parser::new(&stream.data, start, &self.budget).object()
    }

    fn object_stream(&self, number: u32) -> Result<Rc<ObjectStream>, Error> {
        if let Some(stream) = self.object_streams.borrow().get(&number) {
            return Ok(stream.clone());
        }
        let broken = |reason| Error::Broken { reason, at: 0 };
        let entry = self
            .cross_reference
            .entry(self.bytes, number, &self.budget)?;
        // An object stream is never within another (7.5.7), which also ends any loop here.
        let Entry::At { offset, generation } = entry else {
            return Err(broken("object stream is not in the file"));
        };
        let mut parser = self.parser_of(Reference { number, generation }, offset)?;
        let dictionary = parser.dictionary()?;
        if dictionary.get(b"Type").and_then(Object::as_name) != Some(b"ObjStm") {
            return Err(broken("object stream without /Type /ObjStm"));
        }
        let length = self.plain_length(&dictionary)?;
        let raw = stream_bytes(self.bytes, &mut parser, length)?;
        let data = stream::decode(&dictionary, raw, &self.budget)?;
        let starts = self.starts(&dictionary, &data)?;
        let stream = Rc::new(ObjectStream { data, starts });
        self.object_streams
            .borrow_mut()
            .insert(number, stream.clone());
        Ok(stream)
    }

    /// `/Length`, direct or in an object of its own that is not within an object stream.
    fn plain_length(&self, dictionary: &Dictionary) -> Result<Option<i64>, Error> {
        let Some(Object::Reference(reference)) = dictionary.get(b"Length") else {
            return Ok(dictionary.get(b"Length").and_then(Object::as_integer));
        };
        match self
            .cross_reference
            .entry(self.bytes, reference.number, &self.budget)?
        {
            Entry::At { offset, .. } => {
                Ok(self.parser_of(*reference, offset)?.object()?.as_integer())
            }
            _ => Ok(None),
        }
    }

    fn starts(&self, dictionary: &Dictionary, data: &[u8]) -> Result<HashMap<u32, usize>, Error> {
        let broken = |reason| Error::Broken { reason, at: 0 };
        let unsigned = |key: &[u8]| {
            dictionary
                .get(key)
                .and_then(Object::as_integer)
                .and_then(|value| usize::try_from(value).ok())
                .filter(|value| *value <= data.len())
        };
        let (Some(count), Some(first)) = (unsigned(b"N"), unsigned(b"First")) else {
            return Err(broken("object stream without /N or /First"));
        };
        let mut parser = Parser::new(&data[..first], 0, &self.budget);
        let mut starts = HashMap::new();
        for _ in 0..count {
            let number = parser
                .unsigned()?
                .and_then(|value| u32::try_from(value).ok());
            let start = parser
                .unsigned()?
                .and_then(|value| usize::try_from(value).ok());
            let (Some(number), Some(start)) = (number, start) else {
                return Err(broken("malformed head of an object stream"));
            };
            self.budget.charge(32)?;
            starts.entry(number).or_insert(first.saturating_add(start));
        }
        Ok(starts)
    }
}
