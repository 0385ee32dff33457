//! Where the words go: two columns, labels set against their values; long values wrap, and if the box is full
//! everything shrinks.
//!
//! A value that wraps is broken into lines of about the same length: no line of one short word.
//!
//! Labels end where values begin, so that every reader of the file (people, `pdftotext`, a screen reader) takes a row
//! for one line.

use unicode_normalization::UnicodeNormalization;

use super::MarkRow;
use super::font::Font;
use crate::Error;

/// Largest type in a box of 70 pt, and smallest type in any, in points.
const SIZE_MAX: f32 = 8.5;
const SIZE_MIN: f32 = 3.5;
/// How far a value may shrink before it is broken.
const UNBROKEN: f32 = 0.75;
/// Longest label and value together.
const ROW_OCTETS_MAX: usize = 1000;
/// The first row's value against the others.
const FIRST_ROW: f32 = 1.25;
/// Baseline to baseline within a row and between rows, in sizes; Vietnamese capitals carry two marks above.
const LEADING: f32 = 1.36;
const ROW_LEADING: f32 = 1.5;
/// Between the columns, in sizes.
const GAP: f32 = 0.45;

/// A piece of text at its place, in points from the box's lower left corner.
#[derive(Debug, PartialEq)]
pub struct Piece {
    /// Left end of the baseline.
    pub left: f32,
    /// The baseline.
    pub baseline: f32,
    /// Size of type.
    pub size: f32,
    /// The text, in NFC.
    pub text: String,
    /// Whether it is a label.
    pub is_label: bool,
}

/// Lays the rows out in the box from (left, bottom) of this width and height, centred vertically.
///
/// # Errors
/// [`Error::MarkBox`] when even the smallest type does not fit, [`Error::MarkGlyph`].
pub fn lay_out(font: &Font, rows: &[MarkRow], area: [f32; 4]) -> Result<Vec<Piece>, Error> {
    let rows: Vec<MarkRow> = rows
        .iter()
        .map(|row| MarkRow {
            label: cleaned(&row.label),
            value: cleaned(&row.value),
        })
        .filter(|row| !row.label.is_empty() || !row.value.is_empty())
        .collect();
    if rows.is_empty() {
        return Err(Error::MarkBox { reason: "no text" });
    }
    if rows
        .iter()
        .any(|row| row.label.len() + row.value.len() > ROW_OCTETS_MAX)
    {
        return Err(Error::MarkBox {
            reason: "a row is longer than 1000 octets",
        });
    }
    let largest = SIZE_MAX * (area[3] / 60.0).clamp(1.0, 2.5);
    // Rather smaller than a value in two pieces, as long as it reads well.
    let unbroken = sizes(largest, largest * UNBROKEN).map(|size| (size, false));
    let broken = sizes(largest, SIZE_MIN).map(|size| (size, true));
    for (size, may_wrap) in unbroken.chain(broken) {
        if let Some(pieces) = at_size(font, &rows, area, size, may_wrap)? {
            return Ok(pieces);
        }
    }
    Err(Error::MarkBox {
        reason: "the text does not fit the box",
    })
}

/// Sizes from the largest down in steps of a quarter point.
fn sizes(largest: f32, smallest: f32) -> impl Iterator<Item = f32> {
    std::iter::successors(Some(largest), |size| Some(size - 0.25))
        .take_while(move |size| *size >= smallest)
}

fn at_size(
    font: &Font,
    rows: &[MarkRow],
    area: [f32; 4],
    size: f32,
    may_wrap: bool,
) -> Result<Option<Vec<Piece>>, Error> {
    let [left, bottom, width, height] = area;
    let mut labels = 0f32;
    for row in rows {
        labels = labels.max(font.width(&row.label, size)?);
    }
    let column = if labels > 0.0 {
        labels + GAP * size
    } else {
        0.0
    };
    let room = width - column;
    if room < 6.0 * size {
        return Ok(None);
    }
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let size = if index == 0 { size * FIRST_ROW } else { size };
        let texts = if may_wrap {
            balanced(font, &row.value, size, room)?
        } else {
            vec![row.value.clone()]
        };
        for (number, text) in texts.into_iter().enumerate() {
            let label = (number == 0).then_some(row.label.as_str());
            lines.push(Line { size, label, text });
        }
    }
    // From the first line's tall capitals to the last line's descenders.
    let first = lines[0].size * (font.capital_height() + 0.32);
    let last = lines[lines.len() - 1].size * 0.24;
    let steps: Vec<f32> = lines
        .windows(2)
        .map(|pair| pair[1].below(&pair[0]))
        .collect();
    let total = first + steps.iter().sum::<f32>() + last;
    if total > height || lines.iter().any(|line| line.is_wider(font, room)) {
        return Ok(None);
    }
    let mut baseline = bottom + (height + total) / 2.0 - first;
    let mut pieces = Vec::new();
    for (index, line) in lines.into_iter().enumerate() {
        if index > 0 {
            baseline -= steps[index - 1];
        }
        if let Some(label) = line.label.filter(|label| !label.is_empty()) {
            let start = left + labels - font.width(label, size)?;
            pieces.push(piece(start, baseline, size, label.to_owned(), true));
        }
        if !line.text.is_empty() {
            pieces.push(piece(left + column, baseline, line.size, line.text, false));
        }
    }
    Ok(Some(pieces))
}

struct Line<'a> {
    size: f32,
    /// Of the first line of a row.
    label: Option<&'a str>,
    text: String,
}

impl Line<'_> {
    /// How far below the line before.
    fn below(&self, before: &Line<'_>) -> f32 {
        match self.label {
            None => self.size * LEADING,
            Some(_) => (self.size + before.size) / 2.0 * ROW_LEADING,
        }
    }

    fn is_wider(&self, font: &Font, room: f32) -> bool {
        font.width(&self.text, self.size)
            .is_ok_and(|width| width > room)
    }
}

fn piece(left: f32, baseline: f32, size: f32, text: String, is_label: bool) -> Piece {
    Piece {
        left,
        baseline,
        size,
        text,
        is_label,
    }
}

/// As few lines as [`wrapped`] gives, and of these the most even.
fn balanced(font: &Font, text: &str, size: f32, room: f32) -> Result<Vec<String>, Error> {
    let mut best = wrapped(font, text, size, room)?;
    let (mut narrow, mut wide) = (room / best.len() as f32, room);
    // Six halvings find the narrowest column to two hundredths of the room.
    for _ in 0..6 {
        let middle = (narrow + wide) / 2.0;
        let lines = wrapped(font, text, size, middle)?;
        let breaks_words = lines.join(" ") != best.join(" ");
        if lines.len() > best.len() || breaks_words {
            narrow = middle;
        } else {
            (best, wide) = (lines, middle);
        }
    }
    Ok(best)
}

/// Lines no wider than `room`, broken at spaces, and within a word only where the word alone is too wide. What has no
/// letters (a date, a number) stays together, whatever its width.
fn wrapped(font: &Font, text: &str, size: f32, room: f32) -> Result<Vec<String>, Error> {
    if !text.chars().any(char::is_alphabetic) {
        return Ok(vec![text.to_owned()]);
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let current = lines.last_mut().expect("there is always a line");
        let longer = if current.is_empty() {
            word.to_owned()
        } else {
            format!("{current} {word}")
        };
        if font.width(&longer, size)? <= room {
            *current = longer;
            continue;
        }
        if !current.is_empty() {
            lines.push(String::new());
        }
        for character in word.chars() {
            let current = lines.last_mut().expect("there is always a line");
            current.push(character);
            if font.width(current, size)? > room {
                current.pop();
                lines.push(character.to_string());
            }
        }
    }
    Ok(lines)
}

/// NFC, with runs of white space and control characters as one space.
fn cleaned(text: &str) -> String {
    let composed: String = text
        .nfc()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: [f32; 4] = [44.0, 6.0, 168.0, 58.0];

    fn rows(signer: &str) -> Vec<MarkRow> {
        super::super::Mark::vietnamese(
            signer,
            1_795_334_645_000,
            "kyso Demo CA",
            Some("KS-7F3K-29QD"),
        )
        .rows
    }

    fn check(pieces: &[Piece], font: &Font) {
        for piece in pieces {
            let right = piece.left + font.width(&piece.text, piece.size).unwrap();
            assert!(
                right <= AREA[0] + AREA[2] + 0.01,
                "{} ends at {right}",
                piece.text
            );
            assert!(piece.baseline - piece.size * 0.24 >= AREA[1] - 0.01);
            assert!(piece.baseline + piece.size * 0.9 <= AREA[1] + AREA[3] + 0.01);
        }
    }

    #[test]
    fn long_names_wrap_and_shrink_and_stay_in_the_box() {
        let font = Font::noto_sans();
        let short = lay_out(&font, &rows("Lê An"), AREA).unwrap();
        check(&short, &font);
        let name = "Nguyễn Phúc Hoàng Thiên Ân Trường Thịnh Vượng Quý Đức Bảo Khánh";
        let long = lay_out(&font, &rows(name), AREA).unwrap();
        check(&long, &font);
        assert!(long.len() > short.len() && long[0].size < short[0].size);
        let signer: Vec<&str> = long[1..]
            .iter()
            .take_while(|piece| !piece.is_label)
            .map(|piece| piece.text.as_str())
            .collect();
        assert_eq!(signer.join(" "), name);
    }

    #[test]
    fn a_value_that_wraps_has_no_line_of_one_short_word() {
        let font = Font::noto_sans();
        let text = "Tổ chức cung cấp dịch vụ chứng thực chữ ký số Sông Lam";
        let full = font.width(text, 7.0).unwrap();
        for lines in 2..=4 {
            let room = full / (lines as f32 - 0.93);
            let broken = balanced(&font, text, 7.0, room).unwrap();
            assert_eq!(broken.join(" "), text);
            let widths: Vec<f32> = broken
                .iter()
                .map(|line| font.width(line, 7.0).unwrap())
                .collect();
            assert!(widths.iter().all(|width| *width <= room));
            assert!(
                widths.iter().all(|width| *width > room * 0.4),
                "{broken:?} in {room}"
            );
        }
    }

    #[test]
    fn a_word_wider_than_the_box_is_broken() {
        let font = Font::noto_sans();
        let pieces = lay_out(&font, &rows(&"Ễ".repeat(60)), AREA).unwrap();
        check(&pieces, &font);
    }

    #[test]
    fn a_date_stays_on_one_line_in_a_narrow_box() {
        let font = Font::noto_sans();
        let pieces = lay_out(&font, &rows("Lê An"), [20.0, 4.0, 90.0, 40.0]).unwrap();
        assert!(
            pieces
                .iter()
                .any(|piece| piece.text == "22/11/2026 15:04:05")
        );
    }

    #[test]
    fn decomposed_names_are_composed() {
        let font = Font::noto_sans();
        let composed = lay_out(&font, &rows("Đỗ Thị Ánh"), AREA).unwrap();
        let decomposed: String = "Đỗ Thị\tÁnh\n".nfd().collect();
        assert_eq!(lay_out(&font, &rows(&decomposed), AREA).unwrap(), composed);
    }

    #[test]
    fn text_without_end_is_refused() {
        let refused = lay_out(&Font::noto_sans(), &rows(&"An ".repeat(5000)), AREA);
        assert!(matches!(refused, Err(Error::MarkBox { .. })));
    }
}
