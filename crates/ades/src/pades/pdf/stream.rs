//! Stream data of cross-reference and object streams (ISO 32000-1 7.4): `/FlateDecode`, with or without a PNG
//! predictor, which is all that writers use for them.
//!
//! Invariant: no more is inflated than the document's [`Budget`] has left, whatever a stream claims.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use super::object::{Dictionary, Object};
use super::parser::Budget;
use crate::Error;

/// The data of a stream, decoded.
pub fn decode(dictionary: &Dictionary, raw: &[u8], budget: &Budget) -> Result<Vec<u8>, Error> {
    let data = match only(dictionary.get(b"Filter"))? {
        None => raw.to_vec(),
        Some(Object::Name(name)) if name == b"FlateDecode" || name == b"Fl" => {
            inflate(raw, budget)?
        }
        Some(_) => {
            return Err(Error::Unsupported {
                feature: "structural stream with a filter other than FlateDecode",
            });
        }
    };
    budget.charge_inflated(data.len())?;
    match only(dictionary.get(b"DecodeParms"))? {
        Some(Object::Dictionary(parameters)) => unpredict(data, parameters),
        _ => Ok(data),
    }
}

/// Compresses what we write ourselves (a font).
pub fn deflate(data: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(data, 6)
}

/// The entry itself, or the only element of its array.
fn only(object: Option<&Object>) -> Result<Option<&Object>, Error> {
    match object {
        Some(Object::Array(elements)) => match elements.as_slice() {
            [] => Ok(None),
            [element] => Ok(Some(element)),
            _ => Err(Error::Unsupported {
                feature: "structural stream with several filters",
            }),
        },
        other => Ok(other),
    }
}

fn inflate(raw: &[u8], budget: &Budget) -> Result<Vec<u8>, Error> {
    let limit = budget.inflatable();
    decompress_to_vec_zlib_with_limit(raw, limit).or_else(|failure| match failure.status {
        // Readers ignore a wrong checksum; what the stream means is checked by its own structure.
        TINFLStatus::Adler32Mismatch => Ok(failure.output),
        TINFLStatus::HasMoreOutput => Err(Error::TooComplex {
            limit: "octets inflated",
        }),
        _ => Err(Error::Broken {
            reason: "stream does not inflate",
            at: 0,
        }),
    })
}

/// Undoes a PNG predictor (7.4.4.4; PNG specification 9) of one octet a pixel.
fn unpredict(data: Vec<u8>, parameters: &Dictionary) -> Result<Vec<u8>, Error> {
    let integer = |key: &[u8], default: i64| {
        parameters
            .get(key)
            .map_or(Some(default), Object::as_integer)
            .unwrap_or(-1)
    };
    match integer(b"Predictor", 1) {
        1 => return Ok(data),
        10..=15 => {}
        _ => {
            return Err(Error::Unsupported {
                feature: "structural stream with a predictor other than PNG",
            });
        }
    }
    let columns = usize::try_from(integer(b"Columns", 1)).unwrap_or(0);
    if !(1..=1024).contains(&columns)
        || integer(b"Colors", 1) != 1
        || integer(b"BitsPerComponent", 8) != 8
    {
        return Err(Error::Unsupported {
            feature: "structural stream with an unusual predictor",
        });
    }
    let mut out = Vec::with_capacity(data.len());
    let mut above = vec![0u8; columns];
    for row in data.chunks(columns + 1) {
        let mut line = row[1..].to_vec();
        line.resize(columns, 0);
        unfilter(row[0], &mut line, &above)?;
        // A last row cut short is given as far as it goes.
        out.extend_from_slice(&line[..row.len() - 1]);
        above = line;
    }
    Ok(out)
}

fn unfilter(kind: u8, line: &mut [u8], above: &[u8]) -> Result<(), Error> {
    for index in 0..line.len() {
        let left = if index > 0 { line[index - 1] } else { 0 };
        let corner = if index > 0 { above[index - 1] } else { 0 };
        let up = above[index];
        let predicted = match kind {
            0 => 0,
            1 => left,
            2 => up,
            3 => u8::midpoint(left, up),
            4 => paeth(left, up, corner),
            _ => {
                return Err(Error::Broken {
                    reason: "unknown PNG filter",
                    at: index,
                });
            }
        };
        line[index] = line[index].wrapping_add(predicted);
    }
    Ok(())
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let estimate = i16::from(left) + i16::from(up) - i16::from(corner);
    let distance = |value: u8| (estimate - i16::from(value)).abs();
    if distance(left) <= distance(up) && distance(left) <= distance(corner) {
        left
    } else if distance(up) <= distance(corner) {
        up
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flate() -> Dictionary {
        Dictionary::new().with(b"Filter", Object::name("FlateDecode"))
    }

    #[test]
    fn a_deflate_bomb_stops_at_the_budget() {
        let bomb = deflate(&vec![0; 200 << 20]);
        assert!(bomb.len() < 1 << 20);
        let refused = decode(&flate(), &bomb, &Budget::new());
        assert!(matches!(refused, Err(Error::TooComplex { .. })));
    }

    #[test]
    fn png_predictors_are_undone() {
        let parameters = Dictionary::new().with(b"Predictor", 12).with(b"Columns", 3);
        let rows = [0, 1, 2, 3, 2, 1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 4, 1, 1, 1];
        let data = unpredict(rows.to_vec(), &parameters).unwrap();
        assert_eq!(data, [1, 2, 3, 2, 3, 4, 1, 2, 3, 1, 2, 3, 2, 3, 4]);
    }

    #[test]
    fn other_filters_are_refused() {
        let several = Dictionary::new().with(
            b"Filter",
            vec![Object::name("ASCII85Decode"), Object::name("FlateDecode")],
        );
        assert!(matches!(
            decode(&several, b"", &Budget::new()),
            Err(Error::Unsupported { .. })
        ));
        assert!(matches!(
            decode(&flate(), b"not zlib", &Budget::new()),
            Err(Error::Broken { .. })
        ));
    }
}
