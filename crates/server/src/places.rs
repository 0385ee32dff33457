//! So many at once overall, and so many of one: nobody takes every place. Long polls, connections and calls to portals
//! are bounded by it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Places for whoever a `K` names.
pub struct Places<K: Hash + Eq + Clone> {
    most: usize,
    most_of_one: usize,
    taken: Mutex<Taken<K>>,
}

struct Taken<K> {
    all: usize,
    of: HashMap<K, usize>,
}

/// A place taken, until it is dropped.
pub struct Place<K: Hash + Eq + Clone> {
    places: Arc<Places<K>>,
    who: K,
}

impl<K: Hash + Eq + Clone> Places<K> {
    /// `most` places, of which one may take `most_of_one`; at least one each.
    pub fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        let taken = Taken {
            all: 0,
            of: HashMap::new(),
        };
        Arc::new(Self {
            most: most.max(1),
            most_of_one: most_of_one.max(1),
            taken: Mutex::new(taken),
        })
    }

    /// A place for `who`, if there is one. `fair` is false for whom the bound of one does not apply to.
    pub fn enter(self: &Arc<Self>, who: K, fair: bool) -> Option<Place<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = taken.of.get(&who).copied().unwrap_or(0);
        if taken.all >= self.most || (fair && of_one >= self.most_of_one) {
            return None;
        }
        taken.all += 1;
        taken.of.insert(who.clone(), of_one + 1);
        Some(Place {
            places: Arc::clone(self),
            who,
        })
    }
}

impl<K: Hash + Eq + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self
            .places
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        match taken.of.get(&self.who) {
            Some(0 | 1) | None => taken.of.remove(&self.who),
            Some(&more) => taken.of.insert(self.who.clone(), more - 1),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cannot_take_every_place_and_places_come_back() {
        let places = Places::new(3, 2);
        let first = places.enter("a", true).unwrap();
        let _second = places.enter("a", true).unwrap();
        assert!(places.enter("a", true).is_none(), "the bound of one");
        let third = places.enter("b", true).unwrap();
        assert!(places.enter("c", true).is_none(), "the bound of all");
        drop(third);
        assert!(places.enter("a", false).is_some(), "a proxy is many people");
        drop(first);
        assert!(places.enter("a", true).is_some());
        assert_eq!(
            places.taken.lock().unwrap().of.len(),
            1,
            "who left is forgotten"
        );
    }
}
