//! secrets
use kyso_store::{SealedBlobs, Store};

pub(crate) const STATEMENTS: &[&str] = &[];

pub(crate) struct Secrets {
    store: Store,
    sealed: SealedBlobs,
}

impl Secrets {
    pub(crate) fn new(store: Store, sealed: SealedBlobs) -> Self {
        Secrets { store, sealed }
    }
}
