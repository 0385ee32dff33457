//! The visible mark: a box on a page that says who signed, when, and under whose certificate.
//!
//! The words come from the caller (they are translated there); this module lays them out in Noto Sans, of which only
//! the glyphs used are embedded. Text is put into Unicode normalisation form C first, so that a decomposed name draws.

mod draw;
mod font;
mod layout;
mod place;

pub(crate) use draw::appearance;
pub(crate) use place::{Placed, place, within};

use time::{Duration, OffsetDateTime, UtcOffset};

use crate::Error;

/// A visible mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The page it is drawn on.
    pub page: MarkPage,
    /// Where on that page.
    pub placement: Placement,
    /// Width in points (1/72 inch) as displayed.
    pub width: f32,
    /// Height in points as displayed.
    pub height: f32,
    /// The rows, drawn in order; the first is drawn larger.
    pub rows: Vec<MarkRow>,
}

/// One row of a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkRow {
    /// The label with its punctuation, such as `Ký bởi:`.
    pub label: String,
    /// The value; wraps and shrinks when long.
    pub value: String,
}

/// Which page carries the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkPage {
    /// The first page.
    First,
    /// The last page.
    Last,
    /// This page, from 1.
    Number(u32),
}

/// A corner of the page as displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corner {
    /// Bottom left.
    BottomLeft,
    /// Bottom right.
    BottomRight,
    /// Top left.
    TopLeft,
    /// Top right.
    TopRight,
}

/// Where the box goes on the page as displayed: rotation and CropBox are taken into account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Placement {
    /// In a corner, 24 pt from the edges; moves up (or down), then aside, past the signatures already there. On a page
    /// too small for it the box shrinks.
    Corner(Corner),
    /// The lower left corner of the box, in points from the lower left corner of the displayed page.
    At {
        /// Points from the left edge.
        left: f32,
        /// Points from the bottom edge.
        bottom: f32,
    },
}

impl Mark {
    /// 220 × 70 pt at the bottom right of the last page, with these rows.
    pub fn new(rows: Vec<MarkRow>) -> Mark {
        Mark {
            page: MarkPage::Last,
            placement: Placement::Corner(Corner::BottomRight),
            width: 220.0,
            height: 70.0,
            rows,
        }
    }

    /// The usual Vietnamese rows: `Ký bởi:`, `Ngày ký:` (dd/MM/yyyy HH:mm:ss, +07:00), `Tổ chức cấp:` and, when
    /// given, `Mã tài liệu:`. A time that no calendar knows leaves its row empty; `prepare` refuses it.
    pub fn vietnamese(
        signer: &str,
        signed_at: i64,
        issuer: &str,
        document_code: Option<&str>,
    ) -> Mark {
        let row = |label: &str, value: &str| MarkRow {
            label: label.to_owned(),
            value: value.to_owned(),
        };
        let signed = local_time(signed_at).map_or_else(
            |_| String::new(),
            |at| {
                let (day, month, year) = (at.day(), u8::from(at.month()), at.year());
                let (hour, minute, second) = at.to_hms();
                format!("{day:02}/{month:02}/{year:04} {hour:02}:{minute:02}:{second:02}")
            },
        );
        let mut rows = vec![
            row("Ký bởi:", signer),
            row("Ngày ký:", &signed),
            row("Tổ chức cấp:", issuer),
        ];
        rows.extend(document_code.map(|code| row("Mã tài liệu:", code)));
        Mark::new(rows)
    }
}

/// Vietnamese time (UTC+7, no summer time).
pub(crate) fn local_time(at: i64) -> Result<OffsetDateTime, Error> {
    let offset = UtcOffset::from_hms(7, 0, 0).map_err(|_| Error::Time { at })?;
    OffsetDateTime::UNIX_EPOCH
        .checked_add(Duration::milliseconds(at))
        .and_then(|time| time.checked_to_offset(offset))
        .filter(|time| (1..=9999).contains(&time.year()))
        .ok_or(Error::Time { at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vietnamese_rows_state_local_time() {
        let mark = Mark::vietnamese("Nguyễn Văn An", 1_795_334_645_999, "kyso", Some("KS-1"));
        let rows: Vec<_> = mark
            .rows
            .iter()
            .map(|row| format!("{} {}", row.label, row.value))
            .collect();
        assert_eq!(
            rows,
            [
                "Ký bởi: Nguyễn Văn An",
                "Ngày ký: 22/11/2026 15:04:05",
                "Tổ chức cấp: kyso",
                "Mã tài liệu: KS-1"
            ]
        );
    }

    #[test]
    fn times_outside_the_calendar_are_refused() {
        for at in [i64::MIN, i64::MAX, 253_402_300_800_000] {
            assert!(matches!(local_time(at), Err(Error::Time { .. })), "{at}");
        }
    }
}
