//! Chance for ids. Keys, nonces and serial numbers come from the keystore, never from here.

use std::sync::{Arc, Mutex, PoisonError};

/// Where random bytes come from.
#[derive(Debug, Clone, Default)]
pub enum Entropy {
    /// The system's generator.
    #[default]
    System,
    /// The same bytes for the same seed, for tests that compare ids. Clones share the state.
    Seeded(Arc<Mutex<u64>>),
}

impl Entropy {
    /// A reproducible source.
    pub fn seeded(seed: u64) -> Entropy {
        Entropy::Seeded(Arc::new(Mutex::new(seed)))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        match self {
            Entropy::System => {
                aws_lc_rs::rand::fill(bytes)
                    .expect("invariant: the system's random generator answers");
            }
            Entropy::Seeded(state) => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                for chunk in bytes.chunks_mut(8) {
                    chunk.copy_from_slice(&split_mix(&mut state).to_le_bytes()[..chunk.len()]);
                }
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough for tests, predictable by design.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_the_system_does_not() {
        let draw = |entropy: Entropy| {
            let mut bytes = [0u8; 19];
            entropy.fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(Entropy::seeded(7)), draw(Entropy::seeded(7)));
        assert_ne!(draw(Entropy::seeded(7)), draw(Entropy::seeded(8)));
        assert_ne!(draw(Entropy::System), draw(Entropy::System));
    }
}
