//! A photo of the evidence: JPEG or PNG and nothing else at the same time.
//!
//! The type is what the bytes are, whatever the caller says. Every marker or chunk is walked from the first byte to the
//! last: a file that goes on after its end, or carries the beginning of another format, could be a picture here and a
//! program or document elsewhere (a polyglot), and is refused. Pixels are not decoded: that is left to whoever looks,
//! in a process without our data; so the bounds on width and height are checked in the header.
//!
//! Standards: ITU-T T.81 annex B (JPEG markers), PNG third edition (W3C) chapters 5 and 11.

/// Bounds of a photo.
#[derive(Debug, Clone, Copy)]
pub struct ImageLimits {
    /// Largest file.
    pub bytes_max: usize,
    /// Smallest long side, pixels; the short side may be 2/3 of it.
    pub side_min: u32,
    /// Largest side, pixels.
    pub side_max: u32,
}

/// What is wrong with a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// Neither JPEG nor PNG.
    #[error("not a JPEG or PNG")]
    Type,
    /// The file is larger than allowed.
    #[error("{bytes} bytes, at most {bytes_max} are allowed")]
    Bytes {
        /// Found.
        bytes: usize,
        /// Allowed.
        bytes_max: usize,
    },
    /// Too small to read, or too large to open.
    #[error("{width} × {height} pixels")]
    Pixels {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// The structure is damaged at this offset.
    #[error("damaged at byte {at}")]
    Damaged {
        /// Offset.
        at: usize,
    },
    /// Something else is in the file besides the picture.
    #[error("another format begins at byte {at}")]
    Foreign {
        /// Offset.
        at: usize,
    },
}

impl ImageFault {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            ImageFault::Type => "image-type",
            ImageFault::Bytes { .. } => "image-too-large",
            ImageFault::Pixels { .. } => "image-pixels",
            ImageFault::Damaged { .. } => "image-damaged",
            ImageFault::Foreign { .. } => "image-foreign",
        }
    }
}

/// A photo that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Photo {
    /// `image/jpeg` or `image/png`.
    pub media_type: &'static str,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// Walks the whole file.
pub fn read_photo(bytes: &[u8], limits: ImageLimits) -> Result<Photo, ImageFault> {
    if bytes.len() > limits.bytes_max {
        return Err(ImageFault::Bytes {
            bytes: bytes.len(),
            bytes_max: limits.bytes_max,
        });
    }
    let photo = if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        read_jpeg(bytes)?
    } else if bytes.starts_with(PNG_SIGNATURE) {
        read_png(bytes)?
    } else {
        return Err(ImageFault::Type);
    };
    let (width, height) = (photo.width, photo.height);
    let (short, long) = (width.min(height), width.max(height));
    if long > limits.side_max
        || long < limits.side_min
        || u64::from(short) * 3 < u64::from(limits.side_min) * 2
    {
        return Err(ImageFault::Pixels { width, height });
    }
    foreign(bytes)?;
    Ok(photo)
}

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The beginnings that other programs look for, and how far into (or from the end of) a file they look.
fn foreign(bytes: &[u8]) -> Result<(), ImageFault> {
    let head = &bytes[..bytes.len().min(1024 + 4)];
    let tail_from = bytes.len().saturating_sub(65_557);
    let tail = &bytes[tail_from..];
    let find = |haystack: &[u8], needle: &[u8], from: usize| {
        haystack
            .windows(needle.len())
            .position(|window| window.eq_ignore_ascii_case(needle))
            .map(|at| from + at)
    };
    // PDF readers take a header in the first kilobyte; ZIP readers the end record in the last 64 kB; browsers sniff
    // markup in the first kilobyte (WHATWG MIME sniffing 7.1).
    let found = [
        &b"%PDF-"[..],
        b"<script",
        b"<html",
        b"<svg",
        b"<!doctype",
        b"<?php",
        b"<?xml version",
        b"PK\x03\x04",
    ]
    .into_iter()
    .find_map(|needle| find(head, needle, 0))
    .or_else(|| find(tail, b"PK\x05\x06", tail_from));
    // XMP metadata legitimately begins with an XML packet, but phones do not write it into photos taken by a page.
    found.map_or(Ok(()), |at| Err(ImageFault::Foreign { at }))
}

fn read_jpeg(bytes: &[u8]) -> Result<Photo, ImageFault> {
    let mut at = 2;
    let mut frame = None;
    let mut scans = 0;
    loop {
        let marker = jpeg_marker(bytes, &mut at)?;
        match marker {
            0xd9 if scans > 0 => break,
            // SOI again, restart without a scan, TEM, EOI before a scan
            0xd8 | 0xd9 | 0xd0..=0xd7 | 0x01 | 0x00 => return Err(ImageFault::Damaged { at }),
            _ => {}
        }
        let segment = jpeg_segment(bytes, &mut at)?;
        match marker {
            // baseline, extended sequential, progressive; lossless, differential and arithmetic are not photos of ours
            0xc0..=0xc2 if frame.is_none() => {
                let &[
                    8,
                    height_high,
                    height_low,
                    width_high,
                    width_low,
                    components,
                    ref rest @ ..,
                ] = segment
                else {
                    return Err(ImageFault::Damaged { at });
                };
                if !matches!(components, 1 | 3) || rest.len() != 3 * usize::from(components) {
                    return Err(ImageFault::Damaged { at });
                }
                frame = Some((
                    u32::from(u16::from_be_bytes([width_high, width_low])),
                    u32::from(u16::from_be_bytes([height_high, height_low])),
                ));
            }
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(ImageFault::Damaged { at });
            }
            0xda if frame.is_some() => {
                scans += 1;
                skip_entropy_coded(bytes, &mut at)?;
            }
            0xda => return Err(ImageFault::Damaged { at }),
            // tables, restart interval, number of lines, application data, comment
            0xc4 | 0xcc | 0xdb..=0xdf | 0xe0..=0xef | 0xfe => {}
            _ => return Err(ImageFault::Damaged { at }),
        }
    }
    if at != bytes.len() {
        return Err(ImageFault::Foreign { at });
    }
    let (width, height) = frame.ok_or(ImageFault::Damaged { at })?;
    Ok(Photo {
        media_type: "image/jpeg",
        width,
        height,
    })
}

fn jpeg_marker(bytes: &[u8], at: &mut usize) -> Result<u8, ImageFault> {
    match bytes.get(*at..*at + 2) {
        Some(&[0xff, marker]) if marker != 0xff => {
            *at += 2;
            Ok(marker)
        }
        // fill bytes (T.81 B.1.1.2) are legal but no camera writes them; a polyglot could
        _ => Err(ImageFault::Damaged { at: *at }),
    }
}

fn jpeg_segment<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], ImageFault> {
    let damaged = ImageFault::Damaged { at: *at };
    let length = match bytes.get(*at..*at + 2) {
        Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
        _ => return Err(damaged),
    };
    let segment = bytes.get(*at + 2..*at + length).ok_or(damaged)?;
    *at += length;
    Ok(segment)
}

/// To the marker that ends a scan: `FF` not followed by `00` (stuffing) or a restart.
fn skip_entropy_coded(bytes: &[u8], at: &mut usize) -> Result<(), ImageFault> {
    let begin = *at;
    loop {
        let step = bytes[*at..]
            .iter()
            .position(|byte| *byte == 0xff)
            .ok_or(ImageFault::Damaged { at: begin })?;
        *at += step;
        match bytes.get(*at + 1) {
            Some(0x00 | 0xd0..=0xd7) => *at += 2,
            Some(_) => return Ok(()),
            None => return Err(ImageFault::Damaged { at: *at }),
        }
    }
}

fn read_png(bytes: &[u8]) -> Result<Photo, ImageFault> {
    let mut at = PNG_SIGNATURE.len();
    let mut size = None;
    let mut has_pixels = false;
    loop {
        let damaged = ImageFault::Damaged { at };
        let header: &[u8; 8] = bytes
            .get(at..at + 8)
            .and_then(|h| h.try_into().ok())
            .ok_or(damaged)?;
        let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = &header[4..8];
        let body = bytes
            .get(at + 8..(at + 8).saturating_add(length))
            .ok_or(damaged)?;
        let end = at + 8 + length;
        let stored: [u8; 4] = bytes
            .get(end..end + 4)
            .and_then(|c| c.try_into().ok())
            .ok_or(damaged)?;
        if !kind.iter().all(u8::is_ascii_alphabetic)
            || crc32(&bytes[at + 4..end]) != u32::from_be_bytes(stored)
        {
            return Err(damaged);
        }
        match kind {
            b"IHDR" if size.is_none() && length == 13 => {
                let number = |from: usize| {
                    u32::from_be_bytes([body[from], body[from + 1], body[from + 2], body[from + 3]])
                };
                size = Some((number(0), number(4)));
            }
            // everything else comes after the header, the header once
            _ if size.is_none() || kind == b"IHDR" => return Err(damaged),
            b"IDAT" => has_pixels = true,
            b"IEND" if length == 0 && has_pixels => {
                at = end + 4;
                break;
            }
            // colour, density, time, EXIF, palette; not text of any length, animation or private chunks
            b"PLTE" | b"tRNS" | b"gAMA" | b"cHRM" | b"sRGB" | b"iCCP" | b"cICP" | b"sBIT"
            | b"bKGD" | b"pHYs" | b"tIME" | b"eXIf" => {}
            _ => return Err(ImageFault::Foreign { at }),
        }
        at = end + 4;
    }
    if at != bytes.len() {
        return Err(ImageFault::Foreign { at });
    }
    let (width, height) = size.ok_or(ImageFault::Damaged { at })?;
    Ok(Photo {
        media_type: "image/png",
        width,
        height,
    })
}

/// CRC-32 as PNG annex D defines it, bit by bit over a table made at compile time.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0u32; 256];
        let mut n = 0;
        while n < 256 {
            let mut c = n as u32;
            let mut bit = 0;
            while bit < 8 {
                c = if c & 1 == 1 {
                    0xedb8_8320 ^ (c >> 1)
                } else {
                    c >> 1
                };
                bit += 1;
            }
            table[n] = c;
            n += 1;
        }
        table
    };
    !bytes.iter().fold(!0u32, |crc, byte| {
        TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ImageLimits = ImageLimits {
        bytes_max: 1 << 20,
        side_min: 300,
        side_max: 8_000,
    };

    /// A minimal JPEG of the given size: headers, one scan of a few bytes.
    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut file = vec![0xff, 0xd8, 0xff, 0xe0, 0, 16];
        file.extend(b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        file.extend([0xff, 0xc0, 0, 11, 8]);
        file.extend(height.to_be_bytes());
        file.extend(width.to_be_bytes());
        file.extend([1, 1, 0x11, 0]);
        file.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
        file.extend([0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56]);
        file.extend([0xff, 0xd9]);
        file
    }

    fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut chunk = (body.len() as u32).to_be_bytes().to_vec();
        chunk.extend(kind);
        chunk.extend(body);
        chunk.extend(crc32(&chunk[4..]).to_be_bytes());
        chunk
    }

    fn png(width: u32, height: u32, middle: &[u8]) -> Vec<u8> {
        let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        header.extend([8, 2, 0, 0, 0]);
        [
            PNG_SIGNATURE,
            &chunk(b"IHDR", &header),
            middle,
            &chunk(b"IDAT", &[0x78, 0x9c]),
            &chunk(b"IEND", &[]),
        ]
        .concat()
    }

    #[test]
    fn jpeg_and_png_are_known_by_their_bytes() {
        assert_eq!(
            read_photo(&jpeg(640, 480), LIMITS),
            Ok(Photo {
                media_type: "image/jpeg",
                width: 640,
                height: 480
            })
        );
        assert_eq!(
            read_photo(&png(640, 480, &[]), LIMITS),
            Ok(Photo {
                media_type: "image/png",
                width: 640,
                height: 480
            })
        );
        for other in [
            &b"GIF89a"[..],
            b"%PDF-1.7",
            b"RIFF\0\0\0\0WEBP",
            b"\0\0\0\x18ftypheic",
            b"",
            b"\xff\xd8",
            b"<svg",
        ] {
            assert_eq!(read_photo(other, LIMITS), Err(ImageFault::Type));
        }
    }

    #[test]
    fn a_progressive_picture_with_several_scans_passes() {
        let mut file = jpeg(640, 480);
        file.truncate(file.len() - 2);
        file.extend([
            0xff, 0xc4, 0, 3, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x77, 0xff, 0xd9,
        ]);
        assert!(read_photo(&file, LIMITS).is_ok());
    }

    #[test]
    fn anything_after_the_end_is_refused() {
        for file in [jpeg(640, 480), png(640, 480, &[])] {
            for tail in [&b"\0"[..], b"PK\x05\x06", b"%PDF-1.4", b"\xff\xd8\xff\xd9"] {
                let polyglot = [&file[..], tail].concat();
                assert_eq!(
                    read_photo(&polyglot, LIMITS),
                    Err(ImageFault::Foreign { at: file.len() })
                );
            }
        }
    }

    #[test]
    fn another_format_inside_a_comment_is_refused() {
        let file = jpeg(640, 480);
        for inside in [
            &b"%PDF-1.7\n"[..],
            b"<HTML><script>",
            b"PK\x03\x04",
            b"PK\x05\x06",
        ] {
            let mut comment = vec![0xff, 0xfe];
            comment.extend((inside.len() as u16 + 2).to_be_bytes());
            comment.extend(inside);
            let polyglot = [&file[..2], &comment, &file[2..]].concat();
            assert!(matches!(
                read_photo(&polyglot, LIMITS),
                Err(ImageFault::Foreign { .. })
            ));
        }
        for kind in [b"tEXt", b"zTXt", b"iTXt", b"acTL", b"prVt"] {
            let polyglot = png(640, 480, &chunk(kind, b"x"));
            assert!(matches!(
                read_photo(&polyglot, LIMITS),
                Err(ImageFault::Foreign { .. })
            ));
        }
    }

    #[test]
    fn a_damaged_structure_is_refused_wherever_it_is_cut() {
        for file in [jpeg(640, 480), png(640, 480, &[])] {
            for length in 3..file.len() {
                assert!(read_photo(&file[..length], LIMITS).is_err(), "{length}");
            }
        }
        let mut flipped = png(640, 480, &[]);
        flipped[20] ^= 1;
        assert!(matches!(
            read_photo(&flipped, LIMITS),
            Err(ImageFault::Damaged { .. })
        ));
        // pixels before the header, no pixels at all, two headers
        let two = png(640, 480, &chunk(b"IHDR", &[0; 13]));
        assert!(matches!(
            read_photo(&two, LIMITS),
            Err(ImageFault::Damaged { .. })
        ));
        let none = [
            PNG_SIGNATURE,
            &chunk(b"IHDR", &[0; 13]),
            &chunk(b"IEND", &[]),
        ]
        .concat();
        assert!(matches!(
            read_photo(&none, LIMITS),
            Err(ImageFault::Foreign { .. } | ImageFault::Damaged { .. })
        ));
        let no_scan = [&[0xff, 0xd8, 0xff, 0xd9][..]].concat();
        assert!(matches!(
            read_photo(&no_scan, LIMITS),
            Err(ImageFault::Damaged { .. })
        ));
    }

    #[test]
    fn size_and_bytes_have_bounds() {
        for (width, height) in [
            (299, 200),
            (300, 199),
            (0, 0),
            (8_001, 600),
            (65_535, 65_535),
        ] {
            assert!(
                matches!(
                    read_photo(&jpeg(width, height), LIMITS),
                    Err(ImageFault::Pixels { .. })
                ),
                "{width}"
            );
        }
        assert!(read_photo(&jpeg(300, 200), LIMITS).is_ok());
        assert!(read_photo(&png(u32::MAX, u32::MAX, &[]), LIMITS).is_err());
        let tight = ImageLimits {
            bytes_max: 10,
            ..LIMITS
        };
        assert!(matches!(
            read_photo(&jpeg(640, 480), tight),
            Err(ImageFault::Bytes { .. })
        ));
    }

    #[test]
    fn random_edits_never_panic() {
        let mut state = 7u32;
        for base in [jpeg(640, 480), png(640, 480, &[])] {
            for _ in 0..20_000 {
                let mut file = base.clone();
                for _ in 0..3 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let at = state as usize % file.len();
                    file[at] = (state >> 24) as u8;
                }
                let _ = read_photo(&file, LIMITS);
            }
        }
    }
}
