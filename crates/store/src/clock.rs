//! The only place that asks the machine for the time.
//!
//! Times are `i64` milliseconds since 1970-01-01 UTC. A transaction has one instant, [`Tx::now`](crate::Tx::now);
//! pure code gets `now` as an argument.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where "now" comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still until somebody moves it. Clones share it.
    Fixed(Arc<AtomicI64>),
    /// The machine's clock plus as many ms as stand in a file, read anew each time. For tests of a whole process.
    Shifted(Arc<Path>),
}

impl Clock {
    /// The machine's clock; or, where failpoints are allowed, the one that `KYSO_CLOCK_SHIFT_FILE` shifts.
    pub fn of_process() -> Clock {
        let is_test = std::env::var("KYSO_FAILPOINTS_ALLOWED").as_deref() == Ok("yes");
        match std::env::var_os("KYSO_CLOCK_SHIFT_FILE").filter(|_| is_test) {
            Some(file) => Clock::Shifted(Path::new(&file).into()),
            None => Clock::System,
        }
    }

    /// A clock standing at `at` (ms since 1970).
    pub fn fixed(at: i64) -> Clock {
        Clock::Fixed(Arc::new(AtomicI64::new(at)))
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the time is taken"
    )]
    pub fn now(&self) -> i64 {
        match self {
            Clock::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| {
                    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
                }),
            Clock::Fixed(at) => at.load(Ordering::SeqCst),
            Clock::Shifted(file) => {
                let shift = std::fs::read_to_string(file).unwrap_or_default();
                Clock::System.now() + shift.trim().parse().unwrap_or(0)
            }
        }
    }

    /// Moves a fixed clock by `ms` (back, if negative) and says where it stands. The machine's clock does not move.
    pub fn advance(&self, ms: i64) -> i64 {
        match self {
            Clock::System | Clock::Shifted(_) => self.now(),
            Clock::Fixed(at) => at.fetch_add(ms, Ordering::SeqCst) + ms,
        }
    }

    /// Puts a fixed clock at `at`.
    pub fn set(&self, to: i64) {
        if let Clock::Fixed(at) = self {
            at.store(to, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_told_and_for_all_its_clones() {
        let clock = Clock::fixed(1_000);
        let other = clock.clone();
        assert_eq!(clock.advance(500), 1_500);
        assert_eq!(other.now(), 1_500);
        other.set(3);
        assert_eq!(clock.now(), 3);
    }

    #[test]
    fn the_system_clock_is_after_this_code_was_written() {
        assert!(Clock::System.now() > 1_767_225_600_000);
        assert!(Clock::System.advance(-1_000_000_000_000) > 1_767_225_600_000);
    }
}
