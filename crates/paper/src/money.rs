//! Sums of money as Vietnamese papers write them: digits in groups of three with a dot, and in words.

use serde::ser::SerializeStruct;

/// Serialises a sum in đồng for the templates: `value` to compare, `digits` and `words` to print.
pub(crate) fn vnd<S: serde::Serializer>(sum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("Vnd", 3)?;
    fields.serialize_field("value", sum)?;
    fields.serialize_field("digits", &digits(*sum))?;
    fields.serialize_field("words", &words(*sum))?;
    fields.end()
}

/// `1.250.000`
fn digits(sum: u64) -> String {
    let plain = sum.to_string();
    let mut grouped = String::with_capacity(plain.len() + plain.len() / 3);
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            grouped.push('.');
        }
        grouped.push(digit);
    }
    grouped
}

const DIGITS: [&str; 10] = [
    "không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín",
];
/// Names of the groups of three digits below a billion; above, `tỷ` starts over.
const GROUPS: [&str; 3] = ["", "nghìn", "triệu"];

/// `một triệu hai trăm năm mươi nghìn`
fn words(sum: u64) -> String {
    if sum == 0 {
        return DIGITS[0].to_owned();
    }
    let billions = sum / 1_000_000_000;
    let mut said = Vec::new();
    if billions > 0 {
        said.push(words(billions));
        said.push("tỷ".to_owned());
    }
    for (index, name) in GROUPS.iter().enumerate().rev() {
        let group = (sum / 1_000_u64.pow(index as u32) % 1_000) as usize;
        if group > 0 {
            // Inside a number every group says its hundreds, even when there are none.
            said.extend(group_words(group, !said.is_empty()));
            said.push((*name).to_owned());
        }
    }
    said.retain(|word| !word.is_empty());
    said.join(" ")
}

/// Three digits. `whole` says «không trăm» where the hundreds are zero.
fn group_words(group: usize, whole: bool) -> Vec<String> {
    let (hundreds, tens, units) = (group / 100, group / 10 % 10, group % 10);
    let mut said = Vec::new();
    if hundreds > 0 || whole {
        said.push(format!("{} trăm", DIGITS[hundreds]));
    }
    match tens {
        0 if units > 0 && !said.is_empty() => said.push("lẻ".to_owned()),
        0 => {}
        1 => said.push("mười".to_owned()),
        _ => said.push(format!("{} mươi", DIGITS[tens])),
    }
    match (tens, units) {
        (_, 0) => {}
        // After «mươi», 1 and 5 change their sound; after «mười» only 5 does.
        (2.., 1) => said.push("mốt".to_owned()),
        (1.., 5) => said.push("lăm".to_owned()),
        _ => said.push(DIGITS[units].to_owned()),
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three_from_the_right() {
        for (sum, shown) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.000"),
            (52_800, "52.800"),
            (1_250_000, "1.250.000"),
            (100, "100"),
        ] {
            assert_eq!(digits(sum), shown);
        }
    }

    #[test]
    fn words_follow_vietnamese_counting() {
        for (sum, said) in [
            (0, "không"),
            (5, "năm"),
            (10, "mười"),
            (15, "mười lăm"),
            (21, "hai mươi mốt"),
            (11, "mười một"),
            (105, "một trăm lẻ năm"),
            (52_800, "năm mươi hai nghìn tám trăm"),
            (120_000, "một trăm hai mươi nghìn"),
            (1_005_000, "một triệu không trăm lẻ năm nghìn"),
            (1_000_001, "một triệu không trăm lẻ một"),
            (2_500_000_000, "hai tỷ năm trăm triệu"),
            (150_000_000, "một trăm năm mươi triệu"),
        ] {
            assert_eq!(words(sum), said, "{sum}");
        }
    }
}
