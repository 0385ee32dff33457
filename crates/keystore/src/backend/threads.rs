//! The threads that own a backend's vaults, and the bounded queue in front of them.
//!
//! PKCS#11 blocks, and RSA is slow: neither may sit on an async worker. A full queue answers `Busy` at once; nothing waits
//! without bound. A vault that is lost is reopened once for the job at hand, and else at the next job; a job that
//! panics costs its vault, not its thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::backend::{BackendName, Fault, Vault};
use crate::error::{Error, Result};

/// Opens one vault per thread.
pub(crate) trait Opener: Send + Sync + 'static {
    /// Opens a vault, or says why the backend is unavailable.
    fn open(&self) -> Result<Box<dyn Vault>>;
}

/// A backend's threads; dropping it ends them.
pub(crate) struct Threads {
    backend: BackendName,
    queue: Arc<Queue>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts `count` threads behind a queue of `waiting_most` jobs.
    pub(crate) fn start(
        backend: BackendName,
        opener: Arc<dyn Opener>,
        count: usize,
        waiting_most: usize,
    ) -> Result<Self> {
        let queue = Arc::new(Queue {
            state: Mutex::new(State::default()),
            ready: Condvar::new(),
            waiting_most: waiting_most.max(1),
        });
        let mut threads = Self {
            backend,
            queue: Arc::clone(&queue),
            handles: Vec::new(),
        };
        for index in 0..count.max(1) {
            let (queue, opener) = (Arc::clone(&queue), Arc::clone(&opener));
            let handle = std::thread::Builder::new()
                .name(format!("{backend}-{index}"))
                .spawn(move || work(&queue, opener.as_ref()))
                .map_err(|error| Error::Setup {
                    reason: format!("a key thread does not start: {}", error.kind()),
                })?;
            threads.handles.push(handle);
        }
        Ok(threads)
    }

    /// Runs a job on one of the threads. It may run twice, the second time on a fresh vault, if the first was lost.
    pub(crate) async fn run<T, F>(&self, mut job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Vault) -> Result<T, Fault> + Send + 'static,
    {
        let backend = self.backend;
        let (answer, answered) = oneshot::channel();
        let mut answer = Some(answer);
        self.queue.push(
            backend,
            Box::new(move |turn| {
                // Nobody waits any more: the caller gave up while the job stood in the queue.
                if answer.as_ref().is_none_or(oneshot::Sender::is_closed) {
                    return Verdict::Done;
                }
                let (result, verdict) = match turn {
                    Turn::Unopened(error) => (Err(error), Verdict::Done),
                    Turn::Run { vault, is_last } => match job(vault) {
                        Ok(value) => (Ok(value), Verdict::Done),
                        Err(Fault::Refused(error)) => (Err(error), Verdict::Done),
                        Err(Fault::Lost(_)) if !is_last => return Verdict::Again,
                        Err(Fault::Lost(reason)) => {
                            (Err(Error::Unavailable { backend, reason }), Verdict::Broken)
                        }
                    },
                };
                if let Some(answer) = answer.take() {
                    // A caller that has gone meanwhile loses its answer; callers store intents before they ask.
                    let _ = answer.send(result);
                }
                verdict
            }),
        )?;
        answered.await.unwrap_or_else(|_| {
            Err(Error::Unavailable {
                backend,
                reason: "the key thread stopped".to_owned(),
            })
        })
    }
}

impl Drop for Threads {
    /// Ends the threads and waits for the job each has in hand, so that no PKCS#11 call outlives its library.
    fn drop(&mut self) {
        self.queue.close();
        for handle in self.handles.drain(..) {
            let _ = handle.join();
        }
    }
}

/// What a task is handed.
enum Turn<'a> {
    Run {
        vault: &'a mut dyn Vault,
        is_last: bool,
    },
    Unopened(Error),
}

/// What a task says of its vault.
enum Verdict {
    Done,
    /// Lost, unanswered: reopen and come again.
    Again,
    /// Lost, answered: reopen for the next.
    Broken,
}

type Task = Box<dyn FnMut(Turn<'_>) -> Verdict + Send>;

struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    waiting_most: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Task>,
    is_closed: bool,
}

impl Queue {
    fn push(&self, backend: BackendName, task: Task) -> Result<()> {
        let mut state = self.lock();
        if state.waiting.len() >= self.waiting_most {
            return Err(Error::Busy { backend });
        }
        state.waiting.push_back(task);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(task) = state.waiting.pop_front() {
                return Some(task);
            }
            state = self
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.waiting.clear();
        drop(state);
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(queue: &Queue, opener: &dyn Opener) {
    let mut vault: Option<Box<dyn Vault>> = None;
    while let Some(mut task) = queue.next() {
        for is_last in [false, true] {
            let opened = match vault.as_deref_mut() {
                Some(opened) => opened,
                None => match opener.open() {
                    Ok(opened) => vault.insert(opened).as_mut(),
                    Err(error) => {
                        task(Turn::Unopened(error));
                        break;
                    }
                },
            };
            let verdict = catch_unwind(AssertUnwindSafe(|| {
                task(Turn::Run {
                    vault: opened,
                    is_last,
                })
            }));
            match verdict {
                Ok(Verdict::Done) => break,
                Ok(Verdict::Again) => vault = None,
                Ok(Verdict::Broken) | Err(_) => {
                    vault = None;
                    break;
                }
            }
        }
    }
}
