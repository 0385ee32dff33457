//! What this process remembers of PIN tries, so that no two rival tries are ever compared at one version of a row.
//!
//! The row's version, guarded by the caller's `WHERE version = …`, already lets one raise win. This is the second lock:
//! a caller that never stores the raised row, or that is handed an older one, still gets one comparison per version.
//! It is a memory of one process, bounded, and empty after a restart; the ledger remembers across restarts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::row::CitizenKey;

/// Keys remembered per generation; two generations are kept, about 10 MB at most.
const GENERATION: usize = 32 * 1024;

#[derive(Clone, Copy)]
struct Last {
    version: u64,
    try_digest: [u8; 32],
}

/// A key of a credential: a credential that gets another key begins anew.
type Name = (String, Vec<u8>);

/// The last try compared for each key, for the keys used lately.
#[derive(Default)]
pub(crate) struct Memory {
    generations: Mutex<(HashMap<Name, Last>, HashMap<Name, Last>)>,
}

impl Memory {
    /// Admits a try at the row's version if none was compared at a later version, nor another at this one.
    pub(crate) fn admit(&self, raised: &CitizenKey, try_digest: &[u8; 32]) -> bool {
        let name = (
            raised.fields.credential.clone(),
            raised.public_key().key_identifier(),
        );
        self.admit_at(name, raised.version(), try_digest)
    }

    fn admit_at(&self, name: Name, version: u64, try_digest: &[u8; 32]) -> bool {
        let mut generations = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (young, old) = &mut *generations;
        let last = young.get(&name).or_else(|| old.get(&name)).copied();
        let is_admitted = last.is_none_or(|last| {
            version > last.version || (version == last.version && *try_digest == last.try_digest)
        });
        if is_admitted {
            if young.len() >= GENERATION {
                *old = std::mem::take(young);
            }
            young.insert(
                name,
                Last {
                    version,
                    try_digest: *try_digest,
                },
            );
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(credential: &str) -> Name {
        (credential.to_owned(), vec![0; 20])
    }

    #[test]
    fn one_try_is_admitted_per_version_and_versions_only_grow() {
        let memory = Memory::default();
        assert!(memory.admit_at(name("cred"), 6, &[1; 32]));
        assert!(
            memory.admit_at(name("cred"), 6, &[1; 32]),
            "the same try may be repeated"
        );
        assert!(
            !memory.admit_at(name("cred"), 6, &[2; 32]),
            "a rival may not"
        );
        assert!(
            !memory.admit_at(name("cred"), 5, &[1; 32]),
            "nor an older row"
        );
        assert!(memory.admit_at(name("other"), 1, &[2; 32]));
        assert!(memory.admit_at(name("cred"), 7, &[2; 32]));
        assert!(!memory.admit_at(name("cred"), 6, &[1; 32]));
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_recent() {
        let memory = Memory::default();
        memory.admit_at(name("recent"), 9, &[0; 32]);
        for index in 0..GENERATION + 10 {
            memory.admit_at(name(&format!("cred{index}")), 1, &[0; 32]);
        }
        assert!(!memory.admit_at(name("recent"), 8, &[0; 32]));
        for index in 0..3 * GENERATION {
            memory.admit_at(name(&format!("more{index}")), 1, &[0; 32]);
        }
        let generations = memory.generations.lock().unwrap();
        assert!(generations.0.len() + generations.1.len() <= 2 * GENERATION);
    }
}
