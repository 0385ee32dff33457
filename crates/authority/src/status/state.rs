//! When the next CRL is due, which number it has, and what it lists. Pure.
//!
//! RFC 5280 5.2.3 (number strictly increases), 5.1.2.4–5 (thisUpdate, nextUpdate), 3.3 (an entry stays until one regular CRL issued
//! past the certificate's expiry has shown it).

/// What is known of an issuer's lists before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Published {
    /// `thisUpdate` of the newest list, if there is one.
    pub newest_at: Option<i64>,
    /// Status changes the newest list knows of.
    pub newest_changes: i64,
    /// `thisUpdate` of the newest *regular* list.
    pub scheduled_at: Option<i64>,
}

/// Why a list is written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The regular one.
    Scheduled,
    /// A certificate's status changed since the last.
    Changed,
}

/// Rhythm of an issuer's lists, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// A regular list this often.
    pub every_ms: i64,
    /// `nextUpdate` is this far after `thisUpdate`; more than `every_ms`, so that lists overlap.
    pub life_ms: i64,
}

/// Whether a list is due at `now`, and why. `changes` is the issuer's counter of status changes.
#[must_use]
pub fn due(published: &Published, changes: i64, rhythm: Rhythm, now: i64) -> Option<Due> {
    match published.scheduled_at {
        None => Some(Due::Scheduled),
        Some(at) if now >= at.saturating_add(rhythm.every_ms) => Some(Due::Scheduled),
        Some(_) if changes > published.newest_changes => Some(Due::Changed),
        Some(_) => None,
    }
}

/// `thisUpdate` and `nextUpdate` of a list written at `now`: whole seconds, never before the list that came before, even if the
/// clock was set back (a reader prefers the later list).
#[must_use]
pub fn window(published: &Published, rhythm: Rhythm, now: i64) -> (i64, i64) {
    let this_update = whole_second(now).max(published.newest_at.unwrap_or(i64::MIN));
    (this_update, this_update.saturating_add(rhythm.life_ms))
}

/// The earliest `not_after` an entry of the next list may have: what expired earlier has been on a regular list past its expiry.
#[must_use]
pub fn entries_from(published: &Published) -> i64 {
    published.scheduled_at.unwrap_or(i64::MIN)
}

/// DER times have no fraction.
#[must_use]
pub fn whole_second(at: i64) -> i64 {
    at - at.rem_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const RHYTHM: Rhythm = Rhythm {
        every_ms: 6 * HOUR,
        life_ms: 48 * HOUR,
    };

    fn published(newest: i64, scheduled: i64, changes: i64) -> Published {
        Published {
            newest_at: Some(newest),
            newest_changes: changes,
            scheduled_at: Some(scheduled),
        }
    }

    #[test]
    fn the_first_list_is_due_at_once() {
        assert_eq!(
            due(&Published::default(), 0, RHYTHM, 0),
            Some(Due::Scheduled)
        );
    }

    #[test]
    fn a_list_is_due_by_schedule_or_by_change_and_otherwise_not() {
        let last = published(10 * HOUR, 10 * HOUR, 3);
        assert_eq!(due(&last, 3, RHYTHM, 10 * HOUR), None);
        assert_eq!(due(&last, 3, RHYTHM, 16 * HOUR - 1), None);
        assert_eq!(due(&last, 3, RHYTHM, 16 * HOUR), Some(Due::Scheduled));
        assert_eq!(due(&last, 4, RHYTHM, 10 * HOUR), Some(Due::Changed));
        assert_eq!(due(&last, 4, RHYTHM, 16 * HOUR), Some(Due::Scheduled));
        assert_eq!(
            due(&last, 3, RHYTHM, 9 * HOUR),
            None,
            "a clock set back writes no list"
        );
    }

    #[test]
    fn lists_on_change_do_not_put_off_the_regular_one() {
        let last = published(15 * HOUR, 10 * HOUR, 3);
        assert_eq!(due(&last, 3, RHYTHM, 16 * HOUR), Some(Due::Scheduled));
    }

    #[test]
    fn this_update_never_runs_backwards() {
        let last = published(10 * HOUR, 10 * HOUR, 3);
        assert_eq!(window(&last, RHYTHM, 9 * HOUR).0, 10 * HOUR);
        assert_eq!(
            window(&last, RHYTHM, 11 * HOUR + 999),
            (11 * HOUR, 59 * HOUR)
        );
    }

    #[test]
    fn an_expired_entry_leaves_only_after_a_regular_list_past_its_expiry() {
        let expired_at = 12 * HOUR;
        // the regular list of hour 10 came before the expiry: the next list still shows it
        assert!(expired_at >= entries_from(&published(11 * HOUR, 10 * HOUR, 0)));
        // a list on change in hour 13 does not count
        assert!(expired_at >= entries_from(&published(13 * HOUR, 10 * HOUR, 0)));
        // the regular list of hour 16 has shown it past its expiry
        assert!(expired_at < entries_from(&published(16 * HOUR, 16 * HOUR, 0)));
    }
}
