//! A token bucket a caller: so many requests a second on average, so many in one burst.
//!
//! In memory and per node; limits that must hold across nodes (codes a number, PIN tries) are rows of the domain.
//! The table of callers is bounded: when it is full, callers that have been idle longest are forgotten first, and
//! a forgotten caller starts with a full bucket, which is the safe direction for citizens.

use std::collections::HashMap;
use std::sync::Mutex;

/// Callers remembered at once.
const CALLERS_MAX: usize = 65_536;

/// The limiter of one node.
pub struct Limiter {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<u64, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: i64,
}

impl Limiter {
    /// A limiter of `per_second` requests on average and `burst` at once.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: f64::from(per_second.max(1)),
            burst: f64::from(burst.max(1)),
            buckets: Mutex::default(),
        }
    }

    /// Takes one token for `caller` at `now` (ms); `Err` is the number of seconds to wait.
    pub fn take(&self, caller: u64, now: i64) -> Result<(), u64> {
        let mut buckets = self
            .buckets
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if buckets.len() >= CALLERS_MAX && !buckets.contains_key(&caller) {
            forget_idle(&mut buckets);
        }
        let bucket = buckets.entry(caller).or_insert(Bucket {
            tokens: self.burst,
            at: now,
        });
        let passed_seconds = (now - bucket.at).max(0) as f64 / 1000.0;
        bucket.tokens = (bucket.tokens + passed_seconds * self.per_second).min(self.burst);
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            Ok(())
        } else {
            Err(((1.0 - bucket.tokens) / self.per_second).ceil().max(1.0) as u64)
        }
    }
}

/// Drops the older half, by last use.
fn forget_idle(buckets: &mut HashMap<u64, Bucket>) {
    let mut ages: Vec<i64> = buckets.values().map(|b| b.at).collect();
    let middle = ages.len() / 2;
    let (_, &mut median, _) = ages.select_nth_unstable(middle);
    buckets.retain(|_, bucket| bucket.at > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_average_holds() {
        let limiter = Limiter::new(10, 3);
        for _ in 0..3 {
            assert!(limiter.take(1, 0).is_ok());
        }
        assert_eq!(limiter.take(1, 0), Err(1));
        assert!(limiter.take(1, 100).is_ok());
        assert!(
            limiter.take(2, 0).is_ok(),
            "another caller has a bucket of its own"
        );
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let limiter = Limiter::new(1, 1);
        assert!(limiter.take(1, 10_000).is_ok());
        assert!(limiter.take(1, 0).is_err());
    }

    #[test]
    fn the_table_of_callers_is_bounded() {
        let limiter = Limiter::new(1, 1);
        for caller in 0..(CALLERS_MAX as u64 + 10) {
            let _ = limiter.take(caller, caller as i64);
        }
        assert!(limiter.buckets.lock().unwrap().len() <= CALLERS_MAX);
    }
}
