//! A page of a PDF as a picture, to be looked at before it is signed.
//!
//! Bytes of strangers go in, so whoever calls this does it in a process that can do nothing else (the server's `preview`). Here
//! is only the rule that matters: **a picture shows what the page says, or there is none.** A font that is not in the file
//! and not one we can stand in for, an image that cannot be decoded, or a page that comes out white though it draws
//! something, is [`Error::Incomplete`].
//!
//! Fonts: PDF 32000-1, 9.6.2.2 asks a reader for fourteen fonts. Twelve are stood in for by Noto, letter by letter by name;
//! Symbol and ZapfDingbats are not. A font of any other family that is not embedded is refused: Wingdings, and the old Vietnamese
//! ones (`.VnTimes`, `VNI-Times`), put other signs at the same codes, and a substitute would show a text that nobody wrote.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_interpret::font::{FontData, FontQuery, StandardFont};
use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::{Dict, Name, Object};
use hayro::hayro_syntax::page::Page;
use hayro::vello_cpu::Pixmap;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{RenderCache, RenderSettings, render};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageResult};

/// Pixels of a picture at most; a long page comes out narrower than asked.
const PIXELS_MAX: f32 = 8_000_000.0;
/// Longest side of a picture: what a picture's own format can say, and phones can show.
const SIDE_MAX: f32 = 8_192.0;
/// Quality of JPEG at which small letters stay clean.
const QUALITY: u8 = 85;

/// A page as a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// PNG or JPEG, whichever came out smaller.
    pub bytes: Vec<u8>,
    /// `image/png` or `image/jpeg`.
    pub media_type: &'static str,
    /// Pages of the document.
    pub pages: usize,
}

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no PDF, is encrypted, or is broken.
    #[error("the file cannot be read as a PDF")]
    Unreadable,
    /// It has fewer pages.
    #[error("the document has no such page")]
    NoSuchPage,
    /// Something on it could not be drawn, so the picture would say something else than the page.
    #[error("the page cannot be drawn in full")]
    Incomplete,
}

/// Draws a page, counted from 1, so many pixels wide.
pub fn picture(pdf: Vec<u8>, page: usize, width: u32) -> Result<Picture, Error> {
    let pdf = Pdf::new(pdf).map_err(|_| Error::Unreadable)?;
    let pages = pdf.pages();
    let count = pages.len();
    if count == 0 {
        return Err(Error::Unreadable);
    }
    let page = page
        .checked_sub(1)
        .and_then(|index| pages.get(index))
        .ok_or(Error::NoSuchPage)?;
    let (pixmap, is_substituted) = draw(page, width)?;
    if is_substituted && names_unknown_font(&pdf) {
        return Err(Error::Incomplete);
    }
    if is_white(&pixmap) && draws(page) {
        return Err(Error::Incomplete);
    }
    let (media_type, bytes) = encode(&pixmap).map_err(|_| Error::Incomplete)?;
    Ok(Picture {
        bytes,
        media_type,
        pages: count,
    })
}

/// The page drawn, and whether a font was stood in for.
fn draw(page: &Page<'_>, width: u32) -> Result<(Pixmap, bool), Error> {
    let (wide, high) = page.render_dimensions();
    if !(wide >= 1.0 && high >= 1.0 && wide.is_finite() && high.is_finite()) {
        return Err(Error::Unreadable);
    }
    let scale = (width as f32 / wide)
        .min((PIXELS_MAX / (wide * high)).sqrt())
        .min(SIDE_MAX / wide)
        .min(SIDE_MAX / high);
    let side = |points: f32| ((points * scale).round() as u16).max(1);
    let is_whole = Arc::new(AtomicBool::new(true));
    let is_substituted = Arc::new(AtomicBool::new(false));
    let (of_fonts, of_images, substituted) =
        (is_whole.clone(), is_whole.clone(), is_substituted.clone());
    let interpreting = InterpreterSettings {
        font_resolver: Arc::new(move |query| {
            let font = stand_in(query);
            of_fonts.fetch_and(font.is_some(), Ordering::Relaxed);
            substituted.store(true, Ordering::Relaxed);
            font
        }),
        cmap_resolver: Arc::new(|_| None),
        warning_sink: Arc::new(move |_| of_images.store(false, Ordering::Relaxed)),
        render_annotations: true,
    };
    let rendering = RenderSettings {
        x_scale: scale,
        y_scale: scale,
        width: Some(side(wide)),
        height: Some(side(high)),
        bg_color: WHITE,
    };
    let pixmap = render(page, &RenderCache::new(), &interpreting, &rendering);
    match is_whole.load(Ordering::Relaxed) {
        true => Ok((pixmap, is_substituted.load(Ordering::Relaxed))),
        false => Err(Error::Incomplete),
    }
}

/// The font in place of one that is not in the file.
fn stand_in(query: &FontQuery) -> Option<(FontData, u32)> {
    use StandardFont as F;
    let FontQuery::Standard(font) = query else {
        return None;
    };
    let bytes: &'static [u8] = match font {
        F::Helvetica | F::HelveticaOblique | F::Courier | F::CourierOblique => {
            include_bytes!("../../paper/assets/NotoSans-Regular.ttf")
        }
        F::HelveticaBold | F::HelveticaBoldOblique | F::CourierBold | F::CourierBoldOblique => {
            include_bytes!("../../paper/assets/NotoSans-Bold.ttf")
        }
        F::TimesRoman => include_bytes!("../../paper/assets/NotoSerif-Regular.ttf"),
        F::TimesBold => include_bytes!("../../paper/assets/NotoSerif-Bold.ttf"),
        F::TimesItalic => include_bytes!("../../paper/assets/NotoSerif-Italic.ttf"),
        F::TimesBoldItalic => include_bytes!("../../paper/assets/NotoSerif-BoldItalic.ttf"),
        F::Symbol | F::ZapfDingBats => return None,
    };
    Some((Arc::new(bytes), 0))
}

/// Whether the file names a font that it does not hold and whose letters nobody here can know.
fn names_unknown_font(pdf: &Pdf) -> bool {
    pdf.objects().into_iter().any(|object| {
        let Object::Dict(font) = object else {
            return false;
        };
        let Some(name) = font.get::<Name<'_>>("BaseFont") else {
            return false;
        };
        // A composite font holds nothing itself: its descendant is an object of its own.
        let kind = font.get::<Name<'_>>("Subtype");
        let is_composite = kind.is_some_and(|kind| kind.as_str() == "Type0");
        let descriptor = font.get::<Dict<'_>>("FontDescriptor");
        let is_inside = descriptor.is_some_and(|descriptor| {
            let programs = ["FontFile", "FontFile2", "FontFile3"];
            programs.iter().any(|key| descriptor.contains_key(key))
        });
        let name = name.as_str();
        // A subset is named `ABCDEF+Name` (PDF 32000-1, 9.6.4).
        let name = name.split_once('+').map_or(name, |(_, name)| name);
        let name = name.to_ascii_lowercase();
        let families = ["helvetica", "arial", "courier", "times"];
        let is_known = families.iter().any(|family| name.starts_with(family));
        !is_composite && !is_inside && !is_known
    })
}

fn is_white(pixmap: &Pixmap) -> bool {
    pixmap.data_as_u8_slice().iter().all(|&part| part == 255)
}

/// Whether the page's content paints anything: text, paths, images, shadings (PDF 32000-1, table 51).
fn draws(page: &Page<'_>) -> bool {
    const PAINTING: [&[u8]; 16] = [
        b"Tj", b"TJ", b"'", b"\"", b"Do", b"sh", b"BI", b"S", b"s", b"f", b"F", b"f*", b"B", b"B*",
        b"b", b"b*",
    ];
    let mut operations = page.operations();
    while let Some(instruction) = operations.next() {
        let operator: &[u8] = instruction.operator;
        if PAINTING.contains(&operator) {
            return true;
        }
    }
    false
}

/// Letters on white are smaller as PNG, photographs as JPEG; both are what a phone of 2018 shows.
fn encode(pixmap: &Pixmap) -> ImageResult<(&'static str, Vec<u8>)> {
    let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    // The page was white before anything was drawn, so nothing shines through.
    let pixels = pixmap.data_as_u8_slice().chunks_exact(4);
    let rgb: Vec<u8> = pixels.flat_map(|pixel| &pixel[..3]).copied().collect();
    let mut png = Cursor::new(Vec::new());
    let is_grey = rgb
        .chunks_exact(3)
        .all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]);
    let encoder =
        PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive);
    if is_grey {
        let grey: Vec<u8> = rgb.iter().step_by(3).copied().collect();
        encoder.write_image(&grey, width, height, ExtendedColorType::L8)?;
    } else {
        encoder.write_image(&rgb, width, height, ExtendedColorType::Rgb8)?;
    }
    let mut jpeg = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode(
        &rgb,
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    let (png, jpeg) = (png.into_inner(), jpeg.into_inner());
    Ok(match png.len() <= jpeg.len() {
        true => ("image/png", png),
        false => ("image/jpeg", jpeg),
    })
}
