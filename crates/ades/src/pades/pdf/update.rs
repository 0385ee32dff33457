//! An incremental update (ISO 32000-1 7.5.6): the bytes that follow the original.
//!
//! The cross-reference is of the kind the file's newest one has, as 7.5.8.1 asks for readers that know only one kind.

use std::collections::BTreeMap;

use super::Reader;
use super::object::{Dictionary, Object, Reference};
use super::xref::NUMBER_MAX;
use crate::Error;

/// Objects being added to a file.
pub struct Update<'r, 'a> {
    reader: &'r Reader<'a>,
    out: Vec<u8>,
    entries: BTreeMap<u32, (u16, usize)>,
    next: u32,
}

impl<'r, 'a> Update<'r, 'a> {
    /// An update without objects yet.
    pub fn new(reader: &'r Reader<'a>) -> Update<'r, 'a> {
        Update {
            reader,
            // The original may end within a line.
            out: b"\n".to_vec(),
            entries: BTreeMap::new(),
            next: reader.next_number(),
        }
    }

    /// A number for an object that is put later.
    ///
    /// # Errors
    /// [`Error::TooComplex`] when there is no number left.
    pub fn reserve(&mut self) -> Result<Reference, Error> {
        let number = self.next;
        if number > NUMBER_MAX {
            return Err(Error::TooComplex {
                limit: "object number",
            });
        }
        self.next += 1;
        Ok(Reference {
            number,
            generation: 0,
        })
    }

    /// Writes an object under a number: a new one, or one of the file, which it replaces.
    pub fn put(&mut self, reference: Reference, object: &Object) {
        self.open(reference);
        object.write(&mut self.out);
        self.close();
    }

    /// Writes a stream; `/Length` is set here.
    pub fn put_stream(&mut self, reference: Reference, dictionary: Dictionary, data: &[u8]) {
        self.open(reference);
        dictionary
            .with(b"Length", data.len() as i64)
            .write(&mut self.out);
        self.out.extend_from_slice(b"\nstream\n");
        self.out.extend_from_slice(data);
        self.out.extend_from_slice(b"\nendstream");
        self.close();
    }

    /// Writes a new object.
    ///
    /// # Errors
    /// As [`Update::reserve`].
    pub fn add(&mut self, object: impl Into<Object>) -> Result<Reference, Error> {
        let reference = self.reserve()?;
        self.put(reference, &object.into());
        Ok(reference)
    }

    /// Writes a new stream.
    ///
    /// # Errors
    /// As [`Update::reserve`].
    pub fn add_stream(&mut self, dictionary: Dictionary, data: &[u8]) -> Result<Reference, Error> {
        let reference = self.reserve()?;
        self.put_stream(reference, dictionary, data);
        Ok(reference)
    }

    /// Writes an object whose text is given, and returns where in the update that text starts.
    pub fn put_text(&mut self, reference: Reference, text: &[u8]) -> usize {
        self.open(reference);
        let at = self.out.len();
        self.out.extend_from_slice(text);
        self.close();
        at
    }

    /// Writes cross-reference and trailer, and gives the whole update. `identifier` replaces the second part of the
    /// file identifier (14.4), where the file has one.
    ///
    /// # Errors
    /// As [`Update::reserve`].
    pub fn finish(mut self, identifier: &[u8]) -> Result<Vec<u8>, Error> {
        let mut trailer = self.trailer(identifier);
        if self.reader.has_xref_stream() {
            self.write_stream(&mut trailer)?;
        } else {
            self.write_table(&mut trailer);
        }
        Ok(self.out)
    }

    /// Offset in the finished file of what is written next.
    fn offset(&self) -> usize {
        self.reader.len() + self.out.len()
    }

    fn open(&mut self, reference: Reference) {
        let Reference { number, generation } = reference;
        self.entries.insert(number, (generation, self.offset()));
        self.out
            .extend_from_slice(format!("{number} {generation} obj\n").as_bytes());
    }

    fn close(&mut self) {
        self.out.extend_from_slice(b"\nendobj\n");
    }

    /// What the file's newest trailer says, without what describes its own section.
    fn trailer(&self, identifier: &[u8]) -> Dictionary {
        let mut trailer = self.reader.trailer().clone();
        for key in [
            "Type",
            "W",
            "Index",
            "Length",
            "Filter",
            "DecodeParms",
            "F",
            "FFilter",
            "FDecodeParms",
            "DL",
            "XRefStm",
        ] {
            trailer.remove(key.as_bytes());
        }
        let first = match trailer.get(b"ID") {
            Some(Object::Array(parts)) => parts.first().cloned(),
            _ => None,
        };
        if let Some(first @ Object::String(_)) = first {
            trailer.set(
                b"ID",
                vec![first, Object::String(identifier.to_vec())].into(),
            );
        }
        trailer.with(b"Prev", self.reader.cross_reference_start() as i64)
    }

    /// Runs of consecutive numbers: first and count.
    fn runs(&self) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for &number in self.entries.keys() {
            match runs.last_mut() {
                Some((first, count)) if *first + *count == number => *count += 1,
                _ => runs.push((number, 1)),
            }
        }
        runs
    }

    fn write_table(&mut self, trailer: &mut Dictionary) {
        let start = self.offset();
        self.out.extend_from_slice(b"xref\n");
        for (first, count) in self.runs() {
            self.out
                .extend_from_slice(format!("{first} {count}\n").as_bytes());
            for (generation, offset) in self
                .entries
                .range(first..first + count)
                .map(|(_, entry)| entry)
            {
                self.out
                    .extend_from_slice(format!("{offset:010} {generation:05} n \n").as_bytes());
            }
        }
        trailer.set(b"Size", i64::from(self.next).into());
        self.out.extend_from_slice(b"trailer\n");
        trailer.write(&mut self.out);
        self.out
            .extend_from_slice(format!("\nstartxref\n{start}\n%%EOF\n").as_bytes());
    }

    fn write_stream(&mut self, trailer: &mut Dictionary) -> Result<(), Error> {
        let reference = self.reserve()?;
        let start = self.offset();
        self.entries.insert(reference.number, (0, start));
        let mut rows = Vec::with_capacity(self.entries.len() * 7);
        for (generation, offset) in self.entries.values() {
            rows.push(1);
            // DOCUMENT_BYTES_MAX keeps offsets far below 32 bits.
            rows.extend_from_slice(&(*offset as u32).to_be_bytes());
            rows.extend_from_slice(&generation.to_be_bytes());
        }
        let index = self
            .runs()
            .into_iter()
            .flat_map(|(first, count)| [i64::from(first).into(), i64::from(count).into()])
            .collect::<Vec<Object>>();
        let widths: Vec<Object> = vec![1.into(), 4.into(), 2.into()];
        let dictionary = std::mem::take(trailer)
            .with(b"Type", Object::name("XRef"))
            .with(b"W", widths)
            .with(b"Index", index)
            .with(b"Size", i64::from(self.next));
        self.put_stream(reference, dictionary, &rows);
        self.out
            .extend_from_slice(format!("startxref\n{start}\n%%EOF\n").as_bytes());
        Ok(())
    }
}
