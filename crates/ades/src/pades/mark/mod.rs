//! The visible mark: a box on a page that says who signed, when, and under whose certificate.
//!
//! The words come from the caller (they are translated there); this module lays them out in Noto Sans, of which only
//! the glyphs used are embedded.

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
    /// In a corner, 24 pt from the edges; moves up (or down) past the marks already there.
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
    /// given, `Mã tài liệu:`.
    pub fn vietnamese(
        _signer: &str,
        _signed_at: i64,
        _issuer: &str,
        _document_code: Option<&str>,
    ) -> Mark {
        todo!()
    }
}
