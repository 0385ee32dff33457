//! The threads that own a backend's vaults, and the bounded queue in front of them.
//!
//! PKCS#11 blocks, and RSA is slow: neither may sit on an async worker. A full queue answers `Busy` at once; nothing waits
//! without bound, neither in the queue nor for a device that hangs. A vault that is lost is reopened once for the job at hand, and else at the next job; a job that
//! panics costs its vault, not its thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::backend::{BackendName, Fault, Vault};
use crate::error::{Error, Result};

/// How long a caller waits at most. An RSA-4096 pair in a slow token takes half of it; a device that hangs, all of it.
const WAIT_MOST: Duration = Duration::from_secs(60);
/// How long the last handle waits for jobs in hand.
const DROP_PATIENCE: Duration = Duration::from_secs(10);

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
    wait_most: Duration,
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
            wait_most: WAIT_MOST,
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
        let unavailable = |reason: &str| Error::Unavailable {
            backend,
            reason: reason.to_owned(),
        };
        match tokio::time::timeout(self.wait_most, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(unavailable("the key thread stopped")),
            // Dropping the receiver tells the job not to begin, if it has not.
            Err(_) => Err(unavailable("it does not answer")),
        }
    }
}

impl Drop for Threads {
    /// Ends the threads, and waits for the job each has in hand so that no PKCS#11 call outlives its library; but not
    /// for ever: a device that hangs must not keep the process from ending.
    #[expect(
        clippy::disallowed_methods,
        reason = "patience with a device decides nothing about a key"
    )]
    fn drop(&mut self) {
        self.queue.close();
        let patience = Instant::now() + DROP_PATIENCE;
        for handle in self.handles.drain(..) {
            while !handle.is_finished() && Instant::now() < patience {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            if handle.is_finished() {
                let _ = handle.join();
            }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use kyso_pki::algorithm::{Digest, KeyAlgorithm, SignatureAlgorithm};
    use kyso_pki::public_key::PublicKey;
    use zeroize::Zeroizing;

    use super::*;
    use crate::backend::MacKey;
    use crate::row::WrappedKey;
    use crate::service::{Role, ServiceKey};

    /// A vault nobody asks anything: these tests are about who holds it.
    struct Empty;

    impl Vault for Empty {
        fn key_set(&self) -> [u8; 8] {
            unreachable!()
        }
        fn approval_public_key(&self) -> Result<PublicKey> {
            unreachable!()
        }
        fn agree(&mut self, _: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault> {
            unreachable!()
        }
        fn authenticate(&mut self, _: MacKey, _: &[u8]) -> Result<[u8; 32], Fault> {
            unreachable!()
        }
        fn generate(&mut self, _: KeyAlgorithm) -> Result<WrappedKey, Fault> {
            unreachable!()
        }
        fn sign_wrapped(
            &mut self,
            _: &WrappedKey,
            _: SignatureAlgorithm,
            _: &[Digest],
        ) -> Result<Vec<Vec<u8>>, Fault> {
            unreachable!()
        }
        fn create_service(
            &mut self,
            _: Role,
            _: &str,
            _: KeyAlgorithm,
        ) -> Result<ServiceKey, Fault> {
            unreachable!()
        }
        fn find_service(&mut self, _: &str) -> Result<Option<ServiceKey>, Fault> {
            unreachable!()
        }
        fn sign_service(
            &mut self,
            _: &ServiceKey,
            _: SignatureAlgorithm,
            _: &Digest,
        ) -> Result<Vec<u8>, Fault> {
            unreachable!()
        }
        fn destroy_service(&mut self, _: &ServiceKey) -> Result<(), Fault> {
            unreachable!()
        }
        fn probe(&mut self) -> Result<(), Fault> {
            unreachable!()
        }
    }

    /// Counts how often it is opened; stays closed the first `closed` times.
    #[derive(Default)]
    struct Door {
        opened: AtomicUsize,
        closed: usize,
    }

    impl Opener for Door {
        fn open(&self) -> Result<Box<dyn Vault>> {
            let before = self.opened.fetch_add(1, Ordering::SeqCst);
            if before < self.closed {
                return Err(Error::Setup {
                    reason: "closed".to_owned(),
                });
            }
            Ok(Box::new(Empty))
        }
    }

    fn start(door: &Arc<Door>, waiting_most: usize) -> Threads {
        let opener = Arc::clone(door) as Arc<dyn Opener>;
        Threads::start(BackendName::Software, opener, 1, waiting_most).unwrap()
    }

    fn lost() -> Fault {
        Fault::Lost("gone".to_owned())
    }

    #[tokio::test]
    async fn a_lost_vault_is_reopened_once_for_the_job_at_hand() {
        let door = Arc::new(Door::default());
        let threads = start(&door, 10);
        let mut tries = 0;
        let answer = threads.run(move |_| {
            tries += 1;
            if tries == 1 { Err(lost()) } else { Ok(tries) }
        });
        assert_eq!(answer.await.unwrap(), 2);
        assert_eq!(door.opened.load(Ordering::SeqCst), 2);

        let answer = threads.run(|_| Err::<(), _>(lost())).await;
        assert!(matches!(answer, Err(Error::Unavailable { .. })));
        threads.run(|_| Ok(())).await.unwrap();
        assert_eq!(
            door.opened.load(Ordering::SeqCst),
            4,
            "once in that job, once for the next"
        );
    }

    #[tokio::test]
    async fn a_refusal_is_not_repeated() {
        let door = Arc::new(Door::default());
        let threads = start(&door, 10);
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let answer = threads.run(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(Error::PinWeak.into())
        });
        assert!(matches!(answer.await, Err(Error::PinWeak)));
        assert_eq!(
            (
                tries.load(Ordering::SeqCst),
                door.opened.load(Ordering::SeqCst)
            ),
            (1, 1)
        );
    }

    #[tokio::test]
    async fn a_vault_that_does_not_open_is_asked_again_at_the_next_job() {
        let door = Arc::new(Door {
            closed: 2,
            ..Door::default()
        });
        let threads = start(&door, 10);
        for _ in 0..2 {
            assert!(matches!(
                threads.run(|_| Ok(())).await,
                Err(Error::Setup { .. })
            ));
        }
        threads.run(|_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_job_that_panics_costs_its_vault_and_not_its_thread() {
        let door = Arc::new(Door::default());
        let threads = start(&door, 10);
        let answer = threads
            .run(|_| -> Result<(), Fault> { panic!("on purpose") })
            .await;
        assert!(matches!(answer, Err(Error::Unavailable { .. })));
        threads.run(|_| Ok(())).await.unwrap();
        assert_eq!(door.opened.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_device_that_hangs_fills_the_queue_and_nobody_waits_for_ever() {
        let mut threads = start(&Arc::new(Door::default()), 2);
        threads.wait_most = Duration::from_millis(20);
        let (release, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        let hangs = Arc::new(AtomicUsize::new(0));
        // On a busy machine the thread may come to it when nobody waits any more, and leave it out.
        while hangs.load(Ordering::SeqCst) == 0 {
            let (hang, hangs) = (Arc::clone(&hang), Arc::clone(&hangs));
            let hanging = threads.run(move |_| {
                hangs.fetch_add(1, Ordering::SeqCst);
                let _ = hang.lock().unwrap().recv();
                Ok(())
            });
            assert!(hanging.await.is_err());
        }
        let ran = Arc::new(AtomicUsize::new(0));
        let job = || {
            let ran = Arc::clone(&ran);
            threads.run(move |_| {
                ran.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        };
        let (first, second, third) = tokio::join!(job(), job(), job());
        assert!(matches!(first, Err(Error::Unavailable { .. })));
        assert!(matches!(second, Err(Error::Unavailable { .. })));
        assert!(matches!(third, Err(Error::Busy { .. })));
        drop(release);
        threads.wait_most = WAIT_MOST;
        while matches!(threads.run(|_| Ok(())).await, Err(Error::Busy { .. })) {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            ran.load(Ordering::SeqCst),
            0,
            "nobody waited for them any more"
        );
    }
}
