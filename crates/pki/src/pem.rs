//! PEM blocks with one label out of a text (RFC 7468); words between the blocks are ignored.

use crate::{Error, Result};

/// A text larger than this holds no chain.
const TEXT_OCTETS_MOST: usize = 4 * 1024 * 1024;

/// The octets of every block with this label, in order. An unfinished or unreadable block is an error.
pub(crate) fn blocks(label: &str, text: &str) -> Result<Vec<Vec<u8>>> {
    const WHAT: &str = "PEM";
    if text.len() > TEXT_OCTETS_MOST {
        return Err(Error::TooLong {
            what: WHAT,
            octets: text.len(),
            most: TEXT_OCTETS_MOST,
        });
    }
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(&begin) {
        let block = &rest[start..];
        let length = block.find(&end).ok_or(Error::malformed(WHAT))? + end.len();
        let (_, octets) = der::pem::decode_vec(&block.as_bytes()[..length])
            .map_err(|_| Error::malformed(WHAT))?;
        blocks.push(octets);
        rest = &block[length..];
    }
    Ok(blocks)
}
