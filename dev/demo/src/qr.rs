//! A QR code (ISO/IEC 18004) in a terminal: two rows of modules to a line, with its quiet zone.

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules that must surround the code.
const QUIET: i32 = 4;

/// The code of a text, line by line: black on white where colours are wanted, else light modules drawn, as dark terminals need.
pub fn lines(text: &str, has_colours: bool) -> Vec<String> {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Low) else {
        return Vec::new();
    };
    let is_light = |x: i32, y: i32| !code.get_module(x, y);
    let edge = -QUIET..code.size() + QUIET;
    edge.clone()
        .step_by(2)
        .map(|y| {
            let row = edge
                .clone()
                .map(|x| match (is_light(x, y), is_light(x, y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            let row: String = row.collect();
            match has_colours {
                true => format!("\x1b[97;40m{row}\x1b[0m"),
                false => row,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_code_is_square_with_a_quiet_zone_and_its_three_corners() {
        let drawn = lines("http://localhost:8080/c/vuon-lai-2026", false);
        let wide = drawn[0].chars().count();
        assert!((wide - 8 - 21).is_multiple_of(4), "{wide} wide");
        assert_eq!(drawn.len(), wide.div_ceil(2));
        assert!(drawn.iter().all(|line| line.chars().count() == wide));
        assert!(drawn[0].chars().all(|module| module == '█'));
        let corner: String = drawn[2].chars().skip(4).take(8).collect();
        assert_eq!(corner, " ▄▄▄▄▄ █");
    }
}
