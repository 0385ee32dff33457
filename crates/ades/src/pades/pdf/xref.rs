//! The cross-reference: where each object is (ISO 32000-1 7.5.4 tables, 7.5.8 streams, 7.5.8.4 hybrid files).
//!
//! Tables are looked up in place, not read whole: a file of 5 MB costs a few subsection headers and the lines asked
//! for. The chain is followed through `/Prev` from the newest section; a place met twice ends it as broken.

use std::collections::HashSet;

use super::object::{Dictionary, Object};
use super::parser::{Budget, Parser};
use super::stream;
use crate::Error;

/// Most sections (increments) of one file.
const SECTIONS_MAX: usize = 4096;
/// Most subsections of all sections together.
const SUBSECTIONS_MAX: usize = 100_000;
/// Highest object number accepted; ISO 32000-1 annex C names 8,388,607.
pub const NUMBER_MAX: u32 = 8_388_607;
/// Octets of a table's line.
const LINE: usize = 20;

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Nowhere: free.
    Free,
    /// At this offset.
    At {
        /// From the start of the file.
        offset: usize,
        /// Generation.
        generation: u16,
    },
    /// In this object stream.
    Within {
        /// Number of the object stream.
        stream: u32,
    },
}

/// All sections, newest first.
pub struct CrossReference {
    sections: Vec<Section>,
    /// The newest trailer dictionary.
    pub trailer: Dictionary,
    /// Where the newest section starts, as `startxref` says.
    pub start: usize,
    /// Whether the newest section is a stream.
    pub is_stream: bool,
    /// The first number that no section knows.
    pub size: u32,
}

enum Section {
    Table {
        subsections: Vec<Subsection>,
        /// The stream that a hybrid file adds to the table.
        hybrid: Option<Rows>,
    },
    Stream(Rows),
}

struct Subsection {
    first: u32,
    count: u32,
    lines: Lines,
}

enum Lines {
    /// Lines of 20 octets from this offset.
    InPlace(usize),
    /// Lines of another length, read.
    Read(Vec<Entry>),
}

struct Rows {
    widths: [usize; 3],
    index: Vec<(u32, u32)>,
    data: Vec<u8>,
}

impl CrossReference {
    /// Reads the chain that the file's last `startxref` points to.
    pub fn read(bytes: &[u8], budget: &Budget) -> Result<CrossReference, Error> {
        let start = last_startxref(bytes, budget)?;
        let mut sections = Vec::new();
        let mut newest: Option<(Dictionary, bool)> = None;
        let mut seen = HashSet::new();
        let mut subsections = 0;
        let mut next = Some(start);
        while let Some(at) = next {
            if !seen.insert(at) {
                return Err(broken("cross-reference sections form a loop", at));
            }
            if sections.len() == SECTIONS_MAX {
                return Err(Error::TooComplex {
                    limit: "cross-reference sections",
                });
            }
            let (section, trailer) = section_at(bytes, at, budget)?;
            subsections += section.len();
            if subsections > SUBSECTIONS_MAX {
                return Err(Error::TooComplex {
                    limit: "cross-reference subsections",
                });
            }
            if trailer.get(b"Encrypt").is_some() {
                return Err(Error::Encrypted);
            }
            next = offset_in(&trailer, b"Prev", at)?;
            if newest.is_none() {
                newest = Some((trailer, matches!(section, Section::Stream(_))));
            }
            sections.push(section);
        }
        let (trailer, is_stream) = newest.ok_or_else(|| broken("no cross-reference", start))?;
        let size = size_of(&trailer, &sections, start)?;
        Ok(CrossReference {
            sections,
            trailer,
            start,
            is_stream,
            size,
        })
    }

    /// Where an object is: the newest section that mentions it decides.
    pub fn entry(&self, bytes: &[u8], number: u32, budget: &Budget) -> Result<Entry, Error> {
        for section in &self.sections {
            budget.charge(1 + section.len())?;
            match section.entry(bytes, number)? {
                Some(entry) => return Ok(entry),
                None => continue,
            }
        }
        Ok(Entry::Free)
    }
}

impl Section {
    fn len(&self) -> usize {
        match self {
            Section::Table {
                subsections,
                hybrid,
            } => subsections.len() + hybrid.as_ref().map_or(0, |rows| rows.index.len()),
            Section::Stream(rows) => rows.index.len(),
        }
    }

    fn entry(&self, bytes: &[u8], number: u32) -> Result<Option<Entry>, Error> {
        match self {
            Section::Stream(rows) => rows.entry(number),
            Section::Table {
                subsections,
                hybrid,
            } => {
                let mut found = None;
                for subsection in subsections {
                    if let Some(index) = position(subsection.first, subsection.count, number) {
                        found = Some(subsection.entry(bytes, index)?);
                        break;
                    }
                }
                // 7.5.8.4: what the table of a hybrid file hides as free, its stream shows.
                match (found, hybrid) {
                    (None | Some(Entry::Free), Some(rows)) => Ok(rows.entry(number)?.or(found)),
                    _ => Ok(found),
                }
            }
        }
    }

    fn end(&self) -> u32 {
        let of_rows = |rows: &Rows| rows.index.iter().map(|(first, count)| first + count).max();
        match self {
            Section::Table {
                subsections,
                hybrid,
            } => subsections
                .iter()
                .map(|subsection| subsection.first + subsection.count)
                .max()
                .max(hybrid.as_ref().and_then(of_rows)),
            Section::Stream(rows) => of_rows(rows),
        }
        .unwrap_or(0)
    }
}

impl Subsection {
    fn entry(&self, bytes: &[u8], index: u32) -> Result<Entry, Error> {
        match &self.lines {
            Lines::Read(entries) => Ok(entries[index as usize]),
            Lines::InPlace(start) => {
                let at = start + index as usize * LINE;
                line_at(bytes, at).ok_or_else(|| broken("malformed cross-reference line", at))
            }
        }
    }
}

impl Rows {
    fn entry(&self, number: u32) -> Result<Option<Entry>, Error> {
        let width: usize = self.widths.iter().sum();
        let mut before = 0usize;
        for &(first, count) in &self.index {
            if let Some(index) = position(first, count, number) {
                let start = (before + index as usize) * width;
                let row = self
                    .data
                    .get(start..start + width)
                    .ok_or_else(|| broken("cross-reference stream ends early", start))?;
                return self.row(row, start).map(Some);
            }
            before += count as usize;
        }
        Ok(None)
    }

    fn row(&self, row: &[u8], at: usize) -> Result<Entry, Error> {
        let [kind_width, second_width, _] = self.widths;
        let (kind, rest) = row.split_at(kind_width);
        let (second, third) = rest.split_at(second_width);
        let number = |field: &[u8]| {
            field
                .iter()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        // 7.5.8.2 table 17: an absent type field means 1.
        let kind = if kind.is_empty() { 1 } else { number(kind) };
        let entry = match kind {
            0 => Some(Entry::Free),
            1 => usize::try_from(number(second))
                .ok()
                .zip(u16::try_from(number(third)).ok())
                .map(|(offset, generation)| Entry::At { offset, generation }),
            2 => u32::try_from(number(second))
                .ok()
                .map(|stream| Entry::Within { stream }),
            // Unknown types refer to null.
            _ => Some(Entry::Free),
        };
        entry.ok_or_else(|| broken("cross-reference entry out of range", at))
    }
}

fn broken(reason: &'static str, at: usize) -> Error {
    Error::Broken { reason, at }
}

fn position(first: u32, count: u32, number: u32) -> Option<u32> {
    number.checked_sub(first).filter(|index| *index < count)
}

/// The offset after the last `startxref`, which must be within the last 2048 octets.
fn last_startxref(bytes: &[u8], budget: &Budget) -> Result<usize, Error> {
    const KEYWORD: &[u8] = b"startxref";
    let tail = bytes.len().saturating_sub(2048);
    let found = bytes[tail..]
        .windows(KEYWORD.len())
        .rposition(|window| window == KEYWORD)
        .ok_or_else(|| broken("no startxref at the end", bytes.len()))?;
    let mut parser = Parser::new(bytes, tail + found + KEYWORD.len(), budget);
    parser
        .unsigned()?
        .and_then(|at| usize::try_from(at).ok())
        .filter(|at| *at < bytes.len())
        .ok_or_else(|| parser.broken("startxref points outside the file"))
}

fn section_at(bytes: &[u8], at: usize, budget: &Budget) -> Result<(Section, Dictionary), Error> {
    let mut parser = Parser::new(bytes, at, budget);
    if !parser.keyword(b"xref")? {
        let (rows, dictionary) = stream_at(bytes, at, budget)?;
        return Ok((Section::Stream(rows), dictionary));
    }
    let mut subsections = Vec::new();
    while !parser.keyword(b"trailer")? {
        if subsections.len() == SUBSECTIONS_MAX {
            return Err(Error::TooComplex {
                limit: "cross-reference subsections",
            });
        }
        subsections.push(subsection_at(bytes, &mut parser, budget)?);
        let end = match subsections.last().map(|last| (&last.lines, last.count)) {
            Some((Lines::InPlace(start), count)) => start + count as usize * LINE,
            _ => parser.at(),
        };
        parser = Parser::new(bytes, end, budget);
    }
    let trailer = parser.dictionary()?;
    let hybrid = match offset_in(&trailer, b"XRefStm", at)? {
        Some(stream) => Some(stream_at(bytes, stream, budget)?.0),
        None => None,
    };
    Ok((
        Section::Table {
            subsections,
            hybrid,
        },
        trailer,
    ))
}

fn subsection_at(
    bytes: &[u8],
    parser: &mut Parser<'_>,
    budget: &Budget,
) -> Result<Subsection, Error> {
    let (Some(first), Some(count)) = (parser.unsigned()?, parser.unsigned()?) else {
        return Err(parser.broken("malformed cross-reference table"));
    };
    let (first, count) =
        range(first, count).ok_or_else(|| parser.broken("object number out of range"))?;
    parser.skip_space()?;
    let start = parser.at();
    budget.charge(64)?;
    let last = start + (count as usize).saturating_sub(1) * LINE;
    if count == 0 || (line_at(bytes, start).is_some() && line_at(bytes, last).is_some()) {
        return Ok(Subsection {
            first,
            count,
            lines: Lines::InPlace(start),
        });
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        let (offset, generation) = (parser.unsigned()?, parser.unsigned()?);
        let in_use = parser.keyword(b"n")?;
        if !in_use && !parser.keyword(b"f")? {
            return Err(parser.broken("malformed cross-reference line"));
        }
        let entry = entry_of(offset, generation, in_use)
            .ok_or_else(|| parser.broken("cross-reference entry out of range"))?;
        budget.charge(32)?;
        entries.push(entry);
    }
    Ok(Subsection {
        first,
        count,
        lines: Lines::Read(entries),
    })
}

/// A line `nnnnnnnnnn ggggg n` and two octets of line end.
fn line_at(bytes: &[u8], at: usize) -> Option<Entry> {
    let line = bytes.get(at..at + LINE)?;
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0u64, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + u64::from(byte - b'0'))
        })
    };
    let in_use = match line[17] {
        b'n' => true,
        b'f' => false,
        _ => return None,
    };
    let shaped = line[10] == b' '
        && line[16] == b' '
        && line[18..].iter().all(|byte| b" \r\n".contains(byte));
    shaped.then_some(())?;
    entry_of(
        Some(number(&line[..10])?),
        Some(number(&line[11..16])?),
        in_use,
    )
}

fn entry_of(offset: Option<u64>, generation: Option<u64>, in_use: bool) -> Option<Entry> {
    let offset = usize::try_from(offset?).ok()?;
    let generation = u16::try_from(generation?).ok();
    match (in_use, generation) {
        (false, _) => Some(Entry::Free),
        // Some writers mark an unused number so.
        (true, _) if offset == 0 => Some(Entry::Free),
        (true, Some(generation)) => Some(Entry::At { offset, generation }),
        (true, None) => None,
    }
}

fn stream_at(bytes: &[u8], at: usize, budget: &Budget) -> Result<(Rows, Dictionary), Error> {
    let mut parser = Parser::new(bytes, at, budget);
    parser
        .indirect_header()
        .map_err(|_| broken("no cross-reference where startxref or /Prev says", at))?;
    let dictionary = parser.dictionary()?;
    if dictionary.get(b"Type").and_then(Object::as_name) != Some(b"XRef") {
        return Err(broken("cross-reference stream without /Type /XRef", at));
    }
    // Before inflating: an encrypted file is refused as such, whatever else it holds.
    if dictionary.get(b"Encrypt").is_some() {
        return Err(Error::Encrypted);
    }
    let raw = stream_bytes(
        bytes,
        &mut parser,
        dictionary.get(b"Length").and_then(Object::as_integer),
    )?;
    let data = stream::decode(&dictionary, raw, budget)?;
    let index = index_of(&dictionary).ok_or_else(|| broken("malformed /Index or /Size", at))?;
    let widths = widths_of(&dictionary).ok_or_else(|| broken("malformed /W", at))?;
    Ok((
        Rows {
            widths,
            index,
            data,
        },
        dictionary,
    ))
}

/// The raw data after a stream's dictionary; `endstream` must stand where `/Length` says.
pub fn stream_bytes<'a>(
    bytes: &'a [u8],
    parser: &mut Parser<'_>,
    length: Option<i64>,
) -> Result<&'a [u8], Error> {
    let start = parser
        .stream_data()?
        .ok_or_else(|| parser.broken("no stream where one is due"))?;
    let data = length
        .and_then(|length| usize::try_from(length).ok())
        .and_then(|length| start.checked_add(length))
        .and_then(|end| bytes.get(start..end))
        .ok_or_else(|| broken("stream length is missing or too large", start))?;
    let after = &bytes[start + data.len()..];
    let spaces = after
        .iter()
        .take(4)
        .take_while(|byte| super::parser::is_space(**byte))
        .count();
    if !after[spaces..].starts_with(b"endstream") {
        return Err(broken("stream does not end where its length says", start));
    }
    Ok(data)
}

fn widths_of(dictionary: &Dictionary) -> Option<[usize; 3]> {
    let widths: Vec<usize> = dictionary
        .get(b"W")?
        .as_array()?
        .iter()
        .map(|width| {
            usize::try_from(width.as_integer()?)
                .ok()
                .filter(|width| *width <= 8)
        })
        .collect::<Option<_>>()?;
    // 7.5.8.2: further fields may follow one day; such rows would be longer than three fields say.
    let widths: [usize; 3] = widths.try_into().ok()?;
    (widths[1] > 0).then_some(widths)
}

fn index_of(dictionary: &Dictionary) -> Option<Vec<(u32, u32)>> {
    let unsigned = |object: &Object| {
        object
            .as_integer()
            .and_then(|value| u64::try_from(value).ok())
    };
    match dictionary.get(b"Index") {
        None => Some(vec![range(0, unsigned(dictionary.get(b"Size")?)?)?]),
        Some(index) => index
            .as_array()?
            .chunks(2)
            .map(|pair| match pair {
                [first, count] => range(unsigned(first)?, unsigned(count)?),
                _ => None,
            })
            .collect(),
    }
}

fn range(first: u64, count: u64) -> Option<(u32, u32)> {
    let end = first.checked_add(count)?;
    (end <= u64::from(NUMBER_MAX) + 1).then_some(())?;
    Some((u32::try_from(first).ok()?, u32::try_from(count).ok()?))
}

/// An offset in a trailer; some writers put 0 for none.
fn offset_in(trailer: &Dictionary, key: &[u8], at: usize) -> Result<Option<usize>, Error> {
    match trailer.get(key) {
        None | Some(Object::Integer(0)) => Ok(None),
        Some(object) => object
            .as_integer()
            .and_then(|offset| usize::try_from(offset).ok())
            .map(Some)
            .ok_or_else(|| broken("malformed offset in a trailer", at)),
    }
}

fn size_of(trailer: &Dictionary, sections: &[Section], start: usize) -> Result<u32, Error> {
    let stated = trailer
        .get(b"Size")
        .and_then(Object::as_integer)
        .and_then(|size| u32::try_from(size).ok())
        .ok_or_else(|| broken("trailer without /Size", start))?;
    let size = sections.iter().map(Section::end).fold(stated, u32::max);
    if size > NUMBER_MAX {
        return Err(Error::TooComplex {
            limit: "object number",
        });
    }
    Ok(size.max(1))
}
