//! Where the box goes: from the page as displayed to default user space (ISO 32000-1 8.3.2.3, 12.5.5).

use super::{Corner, Mark, Placement};
use crate::Error;
use crate::pades::pdf::Page;

/// From the left and right edges of the page, in points: 19 mm, as a mark that stands out of the text's margin looks
/// like a mistake (Decree 30/2020/NĐ-CP, appendix I: 15 to 20 mm on the right).
const MARGIN_ASIDE: f32 = 54.0;
/// From the upper and lower edges, in points: below the text, beside the page number.
const MARGIN_ALONG: f32 = 24.0;
/// Between two marks, in points.
const BETWEEN: f32 = 6.0;
/// Smallest box, in points.
const SIDE_MIN: f32 = 20.0;

/// A box on a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// `/Rect` of the widget, in default user space.
    pub rectangle: [f32; 4],
    /// `/Matrix` of the appearance: turns it upright on a rotated page.
    pub matrix: [f32; 6],
    /// Width as displayed, in points.
    pub width: f32,
    /// Height as displayed, in points.
    pub height: f32,
}

/// Places a mark on a page, clear of the rectangles in `taken` (default user space) when it goes into a corner.
///
/// # Errors
/// [`Error::MarkBox`].
pub fn place(page: &Page, mark: &Mark, taken: &[[f32; 4]]) -> Result<Placed, Error> {
    let outside = |reason| Err(Error::MarkBox { reason });
    if !(mark.width.is_finite() && mark.height.is_finite()) {
        return outside("width and height must be numbers");
    }
    let (page_width, page_height) = displayed(page);
    let (left, bottom, width, height) = match mark.placement {
        Placement::At { left, bottom } => (left, bottom, mark.width, mark.height),
        Placement::Corner(corner) => in_corner(page, mark, corner, taken),
    };
    if width < SIDE_MIN || height < SIDE_MIN {
        return outside("the box must be at least 20 pt wide and high");
    }
    let within = left >= 0.0
        && bottom >= 0.0
        && left + width <= page_width
        && bottom + height <= page_height;
    if !within {
        return outside("the box lies outside the page");
    }
    Ok(Placed {
        rectangle: to_user_space(page, [left, bottom, left + width, bottom + height]),
        matrix: upright(page.rotation),
        width,
        height,
    })
}

/// The box that an existing field has.
///
/// # Errors
/// [`Error::MarkBox`] when it is too small.
pub fn within(page: Option<&Page>, rectangle: [f32; 4]) -> Result<Placed, Error> {
    let (rotation, unit) = page.map_or((0, 1.0), |page| (page.rotation, page.unit));
    let sides = [
        (rectangle[2] - rectangle[0]) * unit,
        (rectangle[3] - rectangle[1]) * unit,
    ];
    if sides.iter().any(|side| *side < SIDE_MIN) {
        return Err(Error::MarkBox {
            reason: "the field is smaller than 20 pt",
        });
    }
    let turned = !rotation.is_multiple_of(180);
    Ok(Placed {
        rectangle,
        matrix: upright(rotation),
        width: sides[usize::from(turned)],
        height: sides[usize::from(!turned)],
    })
}

fn in_corner(page: &Page, mark: &Mark, corner: Corner, taken: &[[f32; 4]]) -> (f32, f32, f32, f32) {
    let (page_width, page_height) = displayed(page);
    let aside_margin = MARGIN_ASIDE.min(page_width / 11.0);
    let along_margin = MARGIN_ALONG.min(page_height / 20.0);
    let width = mark.width.min(page_width - 2.0 * aside_margin);
    let height = mark.height.min(page_height - 2.0 * along_margin);
    let fitting = |room: f32, side: f32| ((room + BETWEEN) / (side + BETWEEN)).max(1.0) as u32;
    let columns = fitting(page_width - 2.0 * aside_margin, width);
    let rows = fitting(page_height - 2.0 * along_margin, height);
    let spot = |column: u32, row: u32| {
        let aside = aside_margin + column as f32 * (width + BETWEEN);
        let along = along_margin + row as f32 * (height + BETWEEN);
        let left = match corner {
            Corner::BottomLeft | Corner::TopLeft => aside,
            Corner::BottomRight | Corner::TopRight => page_width - aside - width,
        };
        let bottom = match corner {
            Corner::BottomLeft | Corner::BottomRight => along,
            Corner::TopLeft | Corner::TopRight => page_height - along - height,
        };
        (left, bottom, width, height)
    };
    // A page full of signatures gets one on top of the first rather than none.
    (0..columns.min(20))
        .flat_map(|column| (0..rows.min(50)).map(move |row| (column, row)))
        .map(|(column, row)| spot(column, row))
        .find(|(left, bottom, width, height)| {
            let candidate = to_user_space(page, [*left, *bottom, left + width, bottom + height]);
            taken.iter().all(|other| !overlap(&candidate, other))
        })
        .unwrap_or_else(|| spot(0, 0))
}

fn overlap(one: &[f32; 4], other: &[f32; 4]) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

/// Width and height as displayed, in points.
fn displayed(page: &Page) -> (f32, f32) {
    let [left, bottom, right, top] = page.visible;
    let (width, height) = ((right - left) * page.unit, (top - bottom) * page.unit);
    if page.rotation.is_multiple_of(180) {
        (width, height)
    } else {
        (height, width)
    }
}

/// A rectangle on the displayed page, in points from its lower left corner, in default user space.
fn to_user_space(page: &Page, [left, bottom, right, top]: [f32; 4]) -> [f32; 4] {
    let [page_left, page_bottom, page_right, page_top] = page.visible;
    let [left, bottom, right, top] = [left, bottom, right, top].map(|edge| edge / page.unit);
    match page.rotation {
        // Turned clockwise by 90: the displayed left edge is the page's bottom edge.
        90 => [
            page_right - top,
            page_bottom + left,
            page_right - bottom,
            page_bottom + right,
        ],
        180 => [
            page_right - right,
            page_top - top,
            page_right - left,
            page_top - bottom,
        ],
        270 => [
            page_left + bottom,
            page_top - right,
            page_left + top,
            page_top - left,
        ],
        _ => [
            page_left + left,
            page_bottom + bottom,
            page_left + right,
            page_bottom + top,
        ],
    }
}

/// Turns counter-clockwise what the page turns clockwise.
fn upright(rotation: u16) -> [f32; 6] {
    match rotation {
        90 => [0.0, 1.0, -1.0, 0.0, 0.0, 0.0],
        180 => [-1.0, 0.0, 0.0, -1.0, 0.0, 0.0],
        270 => [0.0, -1.0, 1.0, 0.0, 0.0, 0.0],
        _ => [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pades::pdf::{Dictionary, Reference};

    fn page(visible: [f32; 4], rotation: u16) -> Page {
        Page {
            reference: Reference {
                number: 3,
                generation: 0,
            },
            dictionary: Dictionary::new(),
            number: 1,
            visible,
            rotation,
            unit: 1.0,
        }
    }

    fn mark(placement: Placement) -> Mark {
        Mark {
            placement,
            ..Mark::new(Vec::new())
        }
    }

    const RIGHT: Placement = Placement::Corner(Corner::BottomRight);

    #[test]
    fn the_corner_follows_crop_box_and_rotation() {
        let visible = [10.0, 20.0, 610.0, 820.0];
        let rectangle = |rotation| {
            place(&page(visible, rotation), &mark(RIGHT), &[])
                .unwrap()
                .rectangle
        };
        assert_eq!(rectangle(0), [336.0, 44.0, 556.0, 114.0]);
        assert_eq!(rectangle(90), [516.0, 546.0, 586.0, 766.0]);
        assert_eq!(rectangle(180), [64.0, 726.0, 284.0, 796.0]);
        assert_eq!(rectangle(270), [34.0, 74.0, 104.0, 294.0]);
    }

    #[test]
    fn marks_do_not_cover_each_other() {
        let page = page([0.0, 0.0, 595.0, 842.0], 0);
        let mut taken = Vec::new();
        for _ in 0..20 {
            let placed = place(&page, &mark(RIGHT), &taken).unwrap();
            assert!(taken.iter().all(|other| !overlap(other, &placed.rectangle)));
            taken.push(placed.rectangle);
        }
        for _ in 0..50 {
            let placed = place(&page, &mark(RIGHT), &taken).unwrap();
            taken.push(placed.rectangle);
        }
    }

    #[test]
    fn a_small_page_shrinks_the_box_and_a_tiny_one_refuses_it() {
        let small = place(&page([0.0, 0.0, 150.0, 100.0], 0), &mark(RIGHT), &[]).unwrap();
        let margins = 2.0 * 150.0 / 11.0;
        assert!(
            (small.width - (150.0 - margins)).abs() < 0.01,
            "{}",
            small.width
        );
        assert_eq!(small.height, 70.0);
        let tiny = place(&page([0.0, 0.0, 15.0, 15.0], 0), &mark(RIGHT), &[]);
        assert!(matches!(tiny, Err(Error::MarkBox { .. })));
    }

    #[test]
    fn a_box_outside_the_page_is_refused() {
        let page = page([0.0, 0.0, 595.0, 842.0], 90);
        let at = |left, bottom| place(&page, &mark(Placement::At { left, bottom }), &[]);
        assert!(at(842.0 - 220.0, 0.0).is_ok());
        for (left, bottom) in [
            (700.0, 0.0),
            (-1.0, 0.0),
            (0.0, 530.0),
            (f32::NAN, 0.0),
            (0.0, f32::INFINITY),
        ] {
            assert!(matches!(at(left, bottom), Err(Error::MarkBox { .. })));
        }
    }
}
