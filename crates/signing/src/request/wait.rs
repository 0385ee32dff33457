//! Who waits for which request, so that a result wakes its own portal and nobody else.
//!
//! Only within a process: a request that another node moves is found by looking again now and then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Requests;
use crate::RequestId;

/// The requests somebody in this process waits for. An entry goes with the last who waits.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<HashMap<RequestId, watch::Sender<()>>>);

impl Waiting {
    /// The request has moved, and everybody can read it.
    pub(crate) fn moved(&self, request: RequestId) {
        if let Some(sender) = self.lock().get(&request) {
            sender.send_replace(());
        }
    }

    fn join(&self, request: RequestId) -> watch::Receiver<()> {
        let mut waiting = self.lock();
        let sender = waiting
            .entry(request)
            .or_insert_with(|| watch::Sender::new(()));
        sender.subscribe()
    }

    /// Called by who still holds its own receiver.
    fn leave(&self, request: RequestId) {
        let mut waiting = self.lock();
        if waiting
            .get(&request)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            waiting.remove(&request);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RequestId, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An ear for one request, from [`Requests::listen`].
pub struct Listener {
    requests: Requests,
    request: RequestId,
    moved: watch::Receiver<()>,
}

impl Listener {
    /// Returns when the request has moved since the listener was made or last returned, or after `at_most`.
    pub async fn wait(&mut self, at_most: Duration) {
        // Late and moved mean the same: look again.
        let _ = tokio::time::timeout(at_most, self.moved.changed()).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.requests.inner.waiting.leave(self.request);
    }
}

impl Requests {
    /// Listens to a request: first listen, then read, then wait, and nothing is missed.
    pub fn listen(&self, request: RequestId) -> Listener {
        Listener {
            moved: self.inner.waiting.join(request),
            requests: self.clone(),
            request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(word: &str) -> RequestId {
        format!("req_01JD00000000000000000000{word}")
            .parse()
            .unwrap()
    }

    #[test]
    fn who_waits_hears_of_its_own_request_only_and_is_forgotten() {
        let waiting = Waiting::default();
        let (one, other) = (request("0A"), request("0B"));
        let (first, second) = (waiting.join(one), waiting.join(one));
        let third = waiting.join(other);
        waiting.moved(one);
        assert!(first.has_changed().unwrap() && second.has_changed().unwrap());
        assert!(!third.has_changed().unwrap());
        waiting.leave(one);
        drop(first);
        assert_eq!(waiting.lock().len(), 2, "the second still waits");
        waiting.leave(one);
        waiting.leave(other);
        assert!(waiting.lock().is_empty());
    }

    #[test]
    fn what_nobody_waits_for_costs_nothing() {
        let waiting = Waiting::default();
        waiting.moved(request("0A"));
        assert!(waiting.lock().is_empty());
    }
}
