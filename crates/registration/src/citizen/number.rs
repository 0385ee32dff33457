//! The personal identification number: 12 digits that say where, in which century, of which sex and in which year a
//! person was registered (Decree 137/2015/NĐ-CP art. 13, kept by the Law on Identification 2023 art. 12).
//!
//! ```text
//! 0 7 9   2       0 0     0 0 0 0 0 1
//! place   century year    random
//!         and sex
//! ```
//! There is no check digit. A number is kept for life, so the places are those of before July 2025, and of every
//! country for people registered abroad.

use kyso_paper::Date;

/// Sex as the card prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// `Nam`.
    Male,
    /// `Nữ`.
    Female,
}

impl Sex {
    /// `male` or `female`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }

    /// `Nam` or `Nữ`.
    pub fn printed(self) -> &'static str {
        match self {
            Self::Male => "Nam",
            Self::Female => "Nữ",
        }
    }

    /// Reads `male`/`female` and what the card's QR says, `Nam`/`Nữ`.
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "male" | "Nam" => Some(Self::Male),
            "female" | "Nữ" => Some(Self::Female),
            _ => None,
        }
    }
}

/// What a well-formed number says about its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberSays {
    /// Year of birth.
    pub birth_year: i32,
    /// Sex.
    pub sex: Sex,
}

/// Reads a number; the code of the rule it breaks otherwise.
pub fn read_number(text: &str) -> Result<NumberSays, &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("digits");
    }
    match text.len() {
        0 => return Err("required"),
        12 => {}
        // The 9-digit card is void since 1 January 2025 (Law on Identification 2023 art. 46).
        9 => return Err("cmnd-not-accepted"),
        _ => return Err("length"),
    }
    let digit = |at: usize| i32::from(text.as_bytes()[at] - b'0');
    let place = digit(0) * 100 + digit(1) * 10 + digit(2);
    if !is_place(place) {
        return Err("place-unknown");
    }
    let century = 1900 + 100 * (digit(3) / 2);
    Ok(NumberSays {
        birth_year: century + digit(4) * 10 + digit(5),
        sex: if digit(3) % 2 == 0 {
            Sex::Male
        } else {
            Sex::Female
        },
    })
}

/// The 63 provinces of 2008 to 2025, by their place code.
const PROVINCES: [u8; 63] = [
    1, 2, 4, 6, 8, 10, 11, 12, 14, 15, 17, 19, 20, 22, 24, 25, 26, 27, 30, 31, 33, 34, 35, 36, 37,
    38, 40, 42, 44, 45, 46, 48, 49, 51, 52, 54, 56, 58, 60, 62, 64, 66, 67, 68, 70, 72, 74, 75, 77,
    79, 80, 82, 83, 84, 86, 87, 89, 91, 92, 93, 94, 95, 96,
];

/// Countries are numbered from 101 (Circular 07/2016/TT-BCA, annex 2). The end of the list moves with the world, so a
/// whole range is taken rather than a list that would refuse someone born in a new state.
const COUNTRIES: std::ops::RangeInclusive<i32> = 101..=399;

fn is_place(place: i32) -> bool {
    COUNTRIES.contains(&place) || u8::try_from(place).is_ok_and(|place| PROVINCES.contains(&place))
}

/// Age in whole years on `today`.
pub fn age_on(birth: Date, today: Date) -> i32 {
    let had_birthday = (today.month(), today.day()) >= (birth.month(), birth.day());
    today.year() - birth.year() - i32::from(!had_birthday)
}

/// When a card issued on `issued` stops being valid; `None` = never.
///
/// A card is replaced at 14, 25, 40 and 60; one issued within the two years before such a birthday serves until the
/// next (Law on Identification 2023 art. 21).
pub fn card_expires_on(birth: Date, issued: Date) -> Option<Date> {
    [14, 25, 40, 60]
        .into_iter()
        .find(|age| issued < birthday(birth, age - 2))
        .map(|age| birthday(birth, age))
}

/// The day on which someone born on `birth` turns `age`: 28 February for the leap day in a common year.
fn birthday(birth: Date, age: i32) -> Date {
    let year = birth.year() + age;
    Date::new(year, birth.month(), birth.day())
        .or_else(|_| Date::new(year, birth.month(), birth.day() - 1))
        .unwrap_or(birth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn the_number_says_sex_and_year() {
        for (number, birth_year, sex) in [
            ("079060000001", 1960, Sex::Male),
            ("079185000001", 1985, Sex::Female),
            ("001200000001", 2000, Sex::Male),
            ("096310000001", 2010, Sex::Female),
            ("101499000001", 2199, Sex::Male),
        ] {
            assert_eq!(read_number(number), Ok(NumberSays { birth_year, sex }));
        }
    }

    #[test]
    fn a_malformed_number_is_refused_with_its_rule() {
        for (number, code) in [
            ("", "required"),
            ("07920000000", "length"),
            ("0792000000012", "length"),
            ("079200000o01", "digits"),
            ("079 20000001", "digits"),
            ("０79200000001", "digits"),
            ("024000001", "cmnd-not-accepted"),
            ("000200000001", "place-unknown"),
            ("003200000001", "place-unknown"),
            ("100200000001", "place-unknown"),
            ("999200000001", "place-unknown"),
        ] {
            assert_eq!(read_number(number), Err(code), "{code}");
        }
    }

    #[test]
    fn provinces_that_no_longer_exist_still_give_numbers() {
        // Hà Giang, Bắc Kạn, Hà Nam, Bình Dương, Bạc Liêu merged away in 2025.
        for place in ["002", "006", "035", "074", "095"] {
            assert!(read_number(&format!("{place}200000001")).is_ok());
        }
    }

    #[test]
    fn a_card_expires_on_the_next_threshold_unless_issued_within_two_years_before() {
        for (birth, issued, expires) in [
            ("2000-05-10", "2021-05-10", Some("2025-05-10")),
            ("2000-05-10", "2023-05-09", Some("2025-05-10")),
            ("2000-05-10", "2023-05-10", Some("2040-05-10")),
            ("1985-03-07", "2021-06-01", Some("2025-03-07")),
            ("1985-03-07", "2024-06-01", Some("2045-03-07")),
            ("1960-08-15", "2021-01-01", None),
            ("1960-08-15", "2018-08-15", None),
            ("1960-08-15", "2018-08-14", Some("2020-08-15")),
            ("2012-02-29", "2016-01-01", Some("2026-02-28")),
            ("2012-02-29", "2025-01-01", Some("2037-02-28")),
        ] {
            assert_eq!(
                card_expires_on(day(birth), day(issued)),
                expires.map(day),
                "{birth} {issued}"
            );
        }
    }

    #[test]
    fn age_counts_whole_years() {
        assert_eq!(age_on(day("2012-11-23"), day("2026-11-22")), 13);
        assert_eq!(age_on(day("2012-11-22"), day("2026-11-22")), 14);
    }
}
