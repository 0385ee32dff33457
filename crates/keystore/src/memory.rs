//! What this process remembers of PIN tries, so that no two rival tries are ever compared at one version of a row.
//!
//! The row's version, guarded by the caller's `WHERE version = …`, already lets one raise win. This is the second lock:
//! a caller that never stores the raised row, or that is handed an older one, still gets one comparison per version.
//! It is a memory of one process, bounded, and empty after a restart; the ledger remembers across restarts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Credentials remembered per generation; two generations are kept.
const GENERATION: usize = 32 * 1024;

#[derive(Clone, Copy)]
struct Last {
    version: u64,
    try_digest: [u8; 32],
}

/// The last try compared for each credential, for the credentials used lately.
#[derive(Default)]
pub(crate) struct Memory {
    generations: Mutex<(HashMap<String, Last>, HashMap<String, Last>)>,
}

impl Memory {
    /// Admits a try at `version` if none was compared at a later version, nor another at this one.
    pub(crate) fn admit(&self, credential: &str, version: u64, try_digest: &[u8; 32]) -> bool {
        let mut generations = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (young, old) = &mut *generations;
        let last = young
            .get(credential)
            .or_else(|| old.get(credential))
            .copied();
        let is_admitted = last.is_none_or(|last| {
            version > last.version || (version == last.version && *try_digest == last.try_digest)
        });
        if is_admitted {
            if young.len() >= GENERATION {
                *old = std::mem::take(young);
            }
            young.insert(
                credential.to_owned(),
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

    #[test]
    fn one_try_is_admitted_per_version_and_versions_only_grow() {
        let memory = Memory::default();
        assert!(memory.admit("cred", 6, &[1; 32]));
        assert!(
            memory.admit("cred", 6, &[1; 32]),
            "the same try may be repeated"
        );
        assert!(!memory.admit("cred", 6, &[2; 32]), "a rival may not");
        assert!(!memory.admit("cred", 5, &[1; 32]), "nor an older row");
        assert!(memory.admit("other", 1, &[2; 32]));
        assert!(memory.admit("cred", 7, &[2; 32]));
        assert!(!memory.admit("cred", 6, &[1; 32]));
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_recent() {
        let memory = Memory::default();
        memory.admit("recent", 9, &[0; 32]);
        for index in 0..GENERATION + 10 {
            memory.admit(&format!("cred{index}"), 1, &[0; 32]);
        }
        assert!(!memory.admit("recent", 8, &[0; 32]));
        for index in 0..3 * GENERATION {
            memory.admit(&format!("more{index}"), 1, &[0; 32]);
        }
        let generations = memory.generations.lock().unwrap();
        assert!(generations.0.len() + generations.1.len() <= 2 * GENERATION);
    }
}
