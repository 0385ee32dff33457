//! The mark's appearance stream: a quiet card with a seal and a check mark, and the words.

use std::fmt::Write as _;

use super::font::Font;
use super::layout::{Piece, lay_out};
use super::{Mark, Placed};
use crate::Error;
use crate::pades::pdf::object::decimal;
use crate::pades::pdf::{Dictionary, Object, Reference, Update};

/// Distance that makes a quarter circle of a Bézier curve.
const ARC: f32 = 0.552_285;
/// Colours, red green blue.
const PAPER: [f32; 3] = [0.976, 0.988, 0.988];
const BORDER: [f32; 3] = [0.56, 0.72, 0.73];
const SEAL: [f32; 3] = [0.059, 0.463, 0.478];
const SEAL_RING: [f32; 3] = [0.745, 0.878, 0.875];
const LABEL: [f32; 3] = [0.365, 0.451, 0.482];
const VALUE: [f32; 3] = [0.071, 0.184, 0.227];

/// Draws a mark as a form XObject (ISO 32000-1 8.10) and gives its reference.
///
/// # Errors
/// [`Error::MarkBox`], [`Error::MarkGlyph`].
pub fn appearance(
    update: &mut Update<'_, '_>,
    mark: &Mark,
    placed: &Placed,
) -> Result<Reference, Error> {
    let (width, height) = (placed.width, placed.height);
    let mut font = Font::noto_sans();
    let padding = (height * 0.1).clamp(2.5, 9.0);
    let seal = (height * 0.22).min(width * 0.085);
    let text_left = padding * 1.4 + seal * 2.0 + padding;
    let area = [
        text_left,
        padding * 0.6,
        width - text_left - padding,
        height - padding * 1.2,
    ];
    let pieces = lay_out(&font, &mark.rows, area)?;

    let mut content = String::new();
    card(&mut content, width, height);
    emblem(&mut content, padding * 1.4 + seal, height / 2.0, seal);
    words(&mut content, &mut font, &pieces)?;

    let font = font.embed(update)?;
    let resources = Dictionary::new().with(b"Font", Dictionary::new().with(b"F1", font));
    let form = Dictionary::new()
        .with(b"Type", Object::name("XObject"))
        .with(b"Subtype", Object::name("Form"))
        .with(b"BBox", Object::reals(&[0.0, 0.0, width, height]))
        .with(b"Matrix", Object::reals(&placed.matrix))
        .with(b"Resources", resources)
        .with(b"Filter", Object::name("FlateDecode"));
    update.add_stream(form, &crate::pades::pdf::deflate(content.as_bytes()))
}

fn card(out: &mut String, width: f32, height: f32) {
    const LINE: f32 = 0.6;
    operator(out, &PAPER, "rg");
    operator(out, &BORDER, "RG");
    operator(out, &[LINE], "w");
    let inset = LINE / 2.0;
    rounded(out, [inset, inset, width - LINE, height - LINE], 4.0);
    out.push_str("B\n");
}

/// A disc with a ring around it and a check mark in it.
fn emblem(out: &mut String, x: f32, y: f32, radius: f32) {
    operator(out, &SEAL_RING, "RG");
    operator(out, &[radius * 0.09], "w");
    circle(out, x, y, radius * 0.955);
    out.push_str("S\n");
    operator(out, &SEAL, "rg");
    circle(out, x, y, radius * 0.8);
    out.push_str("f\n");
    out.push_str("q 1 J 1 j 1 1 1 RG\n");
    operator(out, &[radius * 0.17], "w");
    operator(out, &[x - radius * 0.37, y - radius * 0.02], "m");
    operator(out, &[x - radius * 0.10, y - radius * 0.29], "l");
    operator(out, &[x + radius * 0.38, y + radius * 0.28], "l");
    out.push_str("S Q\n");
}

fn words(out: &mut String, font: &mut Font, pieces: &[Piece]) -> Result<(), Error> {
    out.push_str("BT\n");
    for piece in pieces {
        operator(out, if piece.is_label { &LABEL } else { &VALUE }, "rg");
        let _ = writeln!(out, "/F1 {} Tf", decimal(piece.size));
        operator(out, &[1.0, 0.0, 0.0, 1.0, piece.left, piece.baseline], "Tm");
        let _ = writeln!(out, "{} Tj", font.encode(&piece.text)?);
    }
    out.push_str("ET\n");
    Ok(())
}

fn operator(out: &mut String, operands: &[f32], operator: &str) {
    for operand in operands {
        out.push_str(&decimal(*operand));
        out.push(' ');
    }
    out.push_str(operator);
    out.push('\n');
}

fn circle(out: &mut String, x: f32, y: f32, radius: f32) {
    rounded(
        out,
        [x - radius, y - radius, radius * 2.0, radius * 2.0],
        radius,
    );
}

/// A rectangle with round corners, as a closed path.
fn rounded(out: &mut String, [left, bottom, width, height]: [f32; 4], radius: f32) {
    let (right, top) = (left + width, bottom + height);
    let far = radius * (1.0 - ARC);
    operator(out, &[left + radius, bottom], "m");
    operator(out, &[right - radius, bottom], "l");
    operator(
        out,
        &[
            right - far,
            bottom,
            right,
            bottom + far,
            right,
            bottom + radius,
        ],
        "c",
    );
    operator(out, &[right, top - radius], "l");
    operator(
        out,
        &[right, top - far, right - far, top, right - radius, top],
        "c",
    );
    operator(out, &[left + radius, top], "l");
    operator(
        out,
        &[left + far, top, left, top - far, left, top - radius],
        "c",
    );
    operator(out, &[left, bottom + radius], "l");
    operator(
        out,
        &[
            left,
            bottom + far,
            left + far,
            bottom,
            left + radius,
            bottom,
        ],
        "c",
    );
    out.push_str("h\n");
}
