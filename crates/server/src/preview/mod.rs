//! Pages of documents as pictures, each drawn by a process of its own that can do nothing else.
//!
//! A document comes from anybody, and drawing it takes a large program. So a page is drawn by a child ([`child`]) that gets
//! the file through a pipe, has given up everything else before it looks at it ([`confine`]), and has bounds on memory and time.
//! What it answers is kept in memory only ([`kept`]): a picture of a document is as private as the document, and a disk would
//! have to seal it.
//!
//! Whoever may fetch the document may ask for its pages: the caller decides that, and names the document by its digest.

pub mod child;
pub mod confine;
mod kept;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use kept::Kept;

/// How long a caller waits for its turn.
const PATIENCE: Duration = Duration::from_secs(20);

/// A page as a picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// `image/png` or `image/jpeg`.
    pub media_type: &'static str,
    /// The picture.
    pub bytes: Vec<u8>,
    /// Pages of the document.
    pub pages: usize,
}

/// Which page of which document, how wide.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// A digest of the document.
    pub document: Vec<u8>,
    /// From 1.
    pub page: usize,
    /// Pixels.
    pub width: u32,
}

/// What a document is answered with for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no picture that says what the page says.
    NotRenderable,
    /// The document has fewer pages.
    NoSuchPage,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It will be the same again.
    #[error("the page was refused: {0:?}")]
    Refused(Refusal),
    /// Too many pages are wanted at once.
    #[error("no turn to draw in time")]
    Busy,
    /// The child could not be started or heard.
    #[error("the drawing process")]
    Child(#[from] std::io::Error),
}

/// Draws pages, and keeps those that were asked for last.
pub struct Previews {
    kept: Mutex<Kept>,
    places: Semaphore,
}

impl Default for Previews {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            kept: Mutex::default(),
            places: Semaphore::new(cores.div_ceil(2)),
        }
    }
}

impl Previews {
    /// The page, drawn from what `fetch` gives unless it is kept. What `fetch` fails with, or [`Error`].
    pub async fn page<E: From<Error>>(
        &self,
        key: Key,
        fetch: impl Future<Output = Result<Vec<u8>, E>>,
    ) -> Result<Arc<Page>, E> {
        if let Some(known) = self.kept().get(&key) {
            return known.map_err(|refusal| Error::Refused(refusal).into());
        }
        let turn = tokio::time::timeout(PATIENCE, self.places.acquire());
        let Ok(Ok(_turn)) = turn.await else {
            return Err(Error::Busy.into());
        };
        // Somebody else may have asked for the same meanwhile.
        if let Some(known) = self.kept().get(&key) {
            return known.map_err(|refusal| Error::Refused(refusal).into());
        }
        let document = fetch.await?;
        let answer = child::draw(&document, key.page, key.width).await?;
        let answer = answer.map(Arc::new);
        self.kept().put(key, answer.clone());
        answer.map_err(|refusal| Error::Refused(refusal).into())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
