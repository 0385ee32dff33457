//! The pages asked for last, in memory, bounded in bytes.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Key, Page, Refusal};

/// Bytes of all pictures together.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// What an entry takes besides its picture, about.
const ENTRY_BYTES: usize = 512;

type Answer = Result<Arc<Page>, Refusal>;

/// Answers by key; who was not asked for longest goes first.
#[derive(Default)]
pub struct Kept {
    entries: HashMap<Key, (Answer, u64)>,
    bytes: usize,
    /// Counts questions, so that the oldest is known.
    now: u64,
}

impl Kept {
    /// What was answered before.
    pub fn get(&mut self, key: &Key) -> Option<Answer> {
        self.now += 1;
        let (answer, asked) = self.entries.get_mut(key)?;
        *asked = self.now;
        Some(answer.clone())
    }

    /// Keeps an answer; others go for it.
    pub fn put(&mut self, key: Key, answer: Answer) {
        self.now += 1;
        self.bytes += size(&answer);
        if let Some((old, _)) = self.entries.insert(key, (answer, self.now)) {
            self.bytes -= size(&old);
        }
        while self.bytes > BYTES_MAX && self.entries.len() > 1 {
            let oldest = self.entries.iter().min_by_key(|(_, (_, asked))| *asked);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            if let Some((gone, _)) = self.entries.remove(&oldest) {
                self.bytes -= size(&gone);
            }
        }
    }
}

fn size(answer: &Answer) -> usize {
    ENTRY_BYTES + answer.as_ref().map_or(0, |page| page.bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(page: usize) -> Key {
        Key {
            document: vec![1; 32],
            page,
            width: 720,
        }
    }

    #[test]
    fn who_was_not_asked_for_longest_goes_and_the_newest_stays_whatever_its_size() {
        let mut kept = Kept::default();
        let large = |bytes| {
            Ok(Arc::new(Page {
                media_type: "image/png",
                bytes: vec![0; bytes],
                pages: 3,
            }))
        };
        kept.put(key(1), large(BYTES_MAX / 3));
        kept.put(key(2), large(BYTES_MAX / 3));
        assert!(kept.get(&key(1)).is_some());
        kept.put(key(3), large(BYTES_MAX / 2));
        assert!(kept.get(&key(2)).is_none(), "asked for before the first");
        assert!(kept.get(&key(1)).is_some() && kept.get(&key(3)).is_some());
        kept.put(key(4), large(BYTES_MAX * 2));
        assert!(kept.get(&key(4)).is_some() && kept.entries.len() == 1);
        kept.put(key(4), Err(Refusal::NotRenderable));
        assert_eq!(kept.bytes, ENTRY_BYTES);
        assert_eq!(kept.get(&key(4)), Some(Err(Refusal::NotRenderable)));
    }
}
