//! A day of the civil calendar, as printed on Vietnamese papers (`dd/MM/yyyy`).

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// Vietnam keeps UTC+7 the whole year.
const VIETNAM_OFFSET_MS: i64 = 7 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// A day of the Gregorian calendar. Shown as `dd/MM/yyyy`; read from and serialised as `yyyy-MM-dd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i32,
    month: u8,
    day: u8,
}

impl Date {
    /// The day given; refuses one the calendar does not have, or a year outside 1..=9999.
    pub fn new(year: i32, month: u8, day: u8) -> Result<Self> {
        if !(1..=9999).contains(&year)
            || !(1..=12).contains(&month)
            || day < 1
            || day > days_in(year, month)
        {
            return Err(Error::NoSuchDay { year, month, day });
        }
        Ok(Self { year, month, day })
    }

    /// The day it is in Vietnam at `at` (milliseconds since 1970-01-01 UTC).
    pub fn in_vietnam(at: i64) -> Self {
        let (year, month, day) = civil((at + VIETNAM_OFFSET_MS).div_euclid(DAY_MS));
        Self { year, month, day }
    }

    /// Year, such as 2026.
    pub fn year(&self) -> i32 {
        self.year
    }

    /// Month, 1 to 12.
    pub fn month(&self) -> u8 {
        self.month
    }

    /// Day of the month, 1 to 31.
    pub fn day(&self) -> u8 {
        self.day
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}/{:02}/{:04}", self.day, self.month, self.year)
    }
}

impl FromStr for Date {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| -> Result<i32> {
            let part = parts.next().ok_or(Error::DateForm)?;
            if part.len() != digits || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Error::DateForm);
            }
            part.parse().map_err(|_| Error::DateForm)
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        if parts.next().is_some() {
            return Err(Error::DateForm);
        }
        Self::new(year, month as u8, day as u8)
    }
}

impl serde::Serialize for Date {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!(
            "{:04}-{:02}-{:02}",
            self.year, self.month, self.day
        ))
    }
}

/// Serialises a moment (milliseconds since 1970-01-01 UTC) as the papers print it: `09:24:00, 22/11/2026 (GMT+7)`.
pub(crate) fn moment<S: serde::Serializer>(
    at: &i64,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let second = (at + VIETNAM_OFFSET_MS).rem_euclid(DAY_MS) / 1_000;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    serializer.collect_str(&format_args!(
        "{hour:02}:{minute:02}:{second:02}, {} (GMT+7)",
        Date::in_vietnam(*at)
    ))
}

fn days_in(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 to year, month, day. Counts in 400-year eras that begin on 1 March, so that the leap day is
/// the last of a year.
fn civil(days: i64) -> (i32, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_in_vietnam_begins_at_seventeen_hours_utc() {
        let five_pm_utc = 1_795_539_600_000 - 1_795_539_600_000 % DAY_MS + 17 * 3_600_000;
        let before = Date::in_vietnam(five_pm_utc - 1);
        let after = Date::in_vietnam(five_pm_utc);
        assert!(before < after, "{before} {after}");
    }

    #[test]
    fn known_days_come_out_right() {
        for (at, shown) in [
            (0, "01/01/1970"),
            (951_782_400_000, "29/02/2000"),
            (1_792_627_200_000, "22/10/2026"),
            (-1, "01/01/1970"),
            (-DAY_MS, "31/12/1969"),
        ] {
            assert_eq!(Date::in_vietnam(at).to_string(), shown);
        }
    }

    #[test]
    fn a_day_outside_the_calendar_is_refused() {
        for (year, month, day) in [
            (2026, 2, 29),
            (2026, 13, 1),
            (2026, 0, 1),
            (2026, 4, 31),
            (0, 1, 1),
        ] {
            assert!(matches!(
                Date::new(year, month, day),
                Err(Error::NoSuchDay { .. })
            ));
        }
        assert!(Date::new(2028, 2, 29).is_ok());
    }

    #[test]
    fn only_the_iso_form_is_read() {
        assert_eq!(
            "1985-03-07".parse::<Date>().unwrap().to_string(),
            "07/03/1985"
        );
        for text in [
            "",
            "1985-3-7",
            "07/03/1985",
            "1985-03-07-01",
            "1985-03-0a",
            "+985-03-07",
        ] {
            assert!(
                matches!(text.parse::<Date>(), Err(Error::DateForm)),
                "{text}"
            );
        }
    }
}
