//! Calls to portals, a few at once for each: one that does not answer holds up nobody else.
//!
//! A call that finds its portal's places taken comes back later, each a little after the one before, at the pace at which the
//! portal has been answering. So a long queue behind a black hole is looked at seldom, and one behind a quick receiver often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kyso_signing::PortalId;

use crate::config;
use crate::places::{Place, Places};

/// The longest a call is put off.
const LATER_MS_MAX: i64 = 300_000;
/// What a call is thought to take before one was made.
const TAKES_MS: i64 = 100;
/// The least distance between two calls put off.
const PACE_MS_MIN: i64 = 5;

/// The places of every portal.
pub struct Lanes {
    places: Arc<Places<PortalId>>,
    of_one: i64,
    lanes: Mutex<HashMap<PortalId, Lane>>,
}

#[derive(Clone, Copy)]
struct Lane {
    takes_ms: i64,
    /// When the call put off last comes back.
    last_at: i64,
}

impl Lanes {
    /// As many as the configuration says.
    pub fn new(config: &config::Webhook) -> Self {
        Self {
            places: Places::new(config.calls_max, config.calls_per_portal_max),
            of_one: i64::try_from(config.calls_per_portal_max.max(1)).unwrap_or(i64::MAX),
            lanes: Mutex::default(),
        }
    }

    /// A place for a call at `now`, or when to come back.
    pub fn enter(&self, portal: PortalId, now: i64) -> Result<Place<PortalId>, i64> {
        if let Some(place) = self.places.enter(portal, true) {
            return Ok(place);
        }
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(portal).or_insert(Lane {
            takes_ms: TAKES_MS,
            last_at: now,
        });
        let pace = (lane.takes_ms / self.of_one).max(PACE_MS_MIN);
        lane.last_at = (lane.last_at.max(now) + pace).min(now + LATER_MS_MAX);
        Err(lane.last_at)
    }

    /// How long a call took.
    pub fn took(&self, portal: PortalId, ms: i64) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(portal).or_insert(Lane {
            takes_ms: ms,
            last_at: 0,
        });
        lane.takes_ms = (lane.takes_ms * 3 + ms) / 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_black_hole_takes_its_own_places_and_its_queue_is_looked_at_seldom() {
        let lanes = Lanes::new(&config::Webhook {
            calls_max: 8,
            calls_per_portal_max: 2,
            ..config::Webhook::default()
        });
        let hole: PortalId = "ptl_01JD3ZQ8000000000000000000".parse().unwrap();
        let other: PortalId = "ptl_01JD3ZQ8000000000000000001".parse().unwrap();
        for _ in 0..20 {
            lanes.took(hole, 10_000);
        }
        let held: Vec<_> = (0..2).map(|_| lanes.enter(hole, 0).ok().unwrap()).collect();
        let waits: Vec<i64> = (0..1000)
            .filter_map(|_| lanes.enter(hole, 0).err())
            .collect();
        assert_eq!(waits.len(), 1000);
        assert!(waits[1] - waits[0] > 4_000, "{waits:?}");
        assert!(
            waits.iter().all(|at| *at <= LATER_MS_MAX),
            "nobody waits for ever"
        );
        assert!(lanes.enter(other, 0).is_ok(), "the others go on");
        drop(held);
        assert!(lanes.enter(hole, 0).is_ok());

        for _ in 0..40 {
            lanes.took(other, 20);
        }
        let _held: Vec<_> = (0..1).map(|_| lanes.enter(other, 0).ok()).collect();
        let _second = lanes.enter(other, 0).ok();
        assert!(
            lanes.enter(other, 0).err().is_some_and(|at| at <= 20),
            "a quick one is asked soon"
        );
    }
}
