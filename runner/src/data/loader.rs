//! Batches prepared on background threads, bounded and in order. Batch t is a pure function of
//! (seed, t), so threads and timing change nothing but speed.

use super::error::{DataError, Result};
use samora_engine::random::Stream;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Which items make up each batch: every epoch a new permutation, keyed by (seed, epoch); the
/// incomplete last batch of an epoch is dropped.
#[derive(Clone, Debug)]
pub struct Sampler {
    items: usize,
    batch: usize,
    stream: Stream,
}

impl Sampler {
    /// Samples `items` in batches of `batch`; `None` if either is 0.
    pub fn new(items: usize, batch: usize, seed: u64) -> Option<Self> {
        (items > 0 && batch > 0).then(|| Self {
            items,
            batch,
            stream: Stream::named(seed, "shuffle"),
        })
    }

    /// Batches of one epoch. With fewer items than a batch it is 1, and the batch repeats items.
    pub fn batches_per_epoch(&self) -> u64 {
        (self.items / self.batch).max(1) as u64
    }

    /// The epoch that batch `t` belongs to.
    pub fn epoch(&self, t: u64) -> u64 {
        t / self.batches_per_epoch()
    }

    /// The items of batch `t`.
    pub fn batch(&self, t: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.items).collect();
        self.stream.at(self.epoch(t)).shuffle(&mut order);
        let start = (t % self.batches_per_epoch()) as usize * self.batch;
        (start..start + self.batch)
            .map(|i| order[i % self.items])
            .collect()
    }
}

/// Prepares batches ahead of their use. Dropping it stops its threads.
pub struct Loader<B> {
    shared: Arc<Shared<B>>,
    threads: Vec<JoinHandle<()>>,
    start: u64,
    next: u64,
    end: u64,
    waited: Duration,
}

impl<B: Send + 'static> Loader<B> {
    /// Starts preparing batches `start..end` with `make` on `threads` threads, at most `ahead`
    /// batches in advance (both at least 1).
    ///
    /// # Errors
    /// The system refuses to start a thread.
    pub fn start(
        batches: std::ops::Range<u64>,
        threads: usize,
        ahead: usize,
        make: impl Fn(u64) -> Result<B> + Send + Sync + 'static,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                claimed: batches.start,
                taken: batches.start,
                ready: BTreeMap::new(),
                stopped: false,
            }),
            changed: Condvar::new(),
            end: batches.end,
            ahead: ahead.max(1) as u64,
        });
        let make = Arc::new(make);
        let mut loader = Self {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
            start: batches.start,
            next: batches.start,
            end: batches.end,
            waited: Duration::ZERO,
        };
        for number in 0..threads.max(1) {
            let (shared, make) = (Arc::clone(&shared), Arc::clone(&make));
            let thread = std::thread::Builder::new()
                .name(format!("loader {number}"))
                .spawn(move || shared.work(&*make));
            loader.threads.push(thread.map_err(|e| DataError::Loader {
                batch: batches.start,
                problem: format!("no thread: {e}"),
            })?);
        }
        Ok(loader)
    }

    /// Time spent in `next` waiting for batches that were not ready, but for the first: no loader could
    /// have it ready.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl<B: Send + 'static> Iterator for Loader<B> {
    type Item = Result<B>;

    /// The next batch in order, or why it could not be made.
    fn next(&mut self) -> Option<Result<B>> {
        if self.next >= self.end {
            return None;
        }
        let asked = Instant::now();
        let mut state = self.shared.lock();
        let batch = loop {
            if let Some(batch) = state.ready.remove(&self.next) {
                break batch;
            }
            state = wait(&self.shared.changed, state);
        };
        if self.next > self.start {
            self.waited += asked.elapsed();
        }
        self.next += 1;
        state.taken = self.next;
        drop(state);
        self.shared.changed.notify_all();
        Some(batch)
    }
}

impl<B> Drop for Loader<B> {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // Panics of `make` were caught and handed over as errors.
            let _ = thread.join();
        }
    }
}

struct Shared<B> {
    state: Mutex<State<B>>,
    changed: Condvar,
    end: u64,
    ahead: u64,
}

struct State<B> {
    /// The next batch no thread has begun.
    claimed: u64,
    /// The next batch the consumer will ask for.
    taken: u64,
    ready: BTreeMap<u64, Result<B>>,
    stopped: bool,
}

impl<B> Shared<B> {
    /// Claims and makes batches until all are claimed or the loader is dropped.
    fn work(&self, make: &(impl Fn(u64) -> Result<B> + ?Sized)) {
        while let Some(t) = self.claim() {
            let made = catch_unwind(AssertUnwindSafe(|| make(t))).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                Err(DataError::Loader {
                    batch: t,
                    problem: format!("panicked: {}", text.unwrap_or("without a message")),
                })
            });
            self.lock().ready.insert(t, made);
            self.changed.notify_all();
        }
    }

    fn claim(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.claimed >= self.end {
                return None;
            }
            if state.claimed < state.taken + self.ahead {
                state.claimed += 1;
                return Some(state.claimed - 1);
            }
            state = wait(&self.changed, state);
        }
    }

    /// `make` runs outside the lock, so a poisoned state is still whole.
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a, T>(changed: &Condvar, state: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    changed.wait(state).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn an_epoch_visits_each_item_at_most_once() {
        let sampler = Sampler::new(10, 3, 7).unwrap();
        assert_eq!(sampler.batches_per_epoch(), 3);
        let epoch = |e: u64| {
            (3 * e..3 * e + 3)
                .flat_map(|t| sampler.batch(t))
                .collect::<Vec<_>>()
        };
        let mut first = epoch(0);
        assert_ne!(first, epoch(1));
        assert_eq!(first, epoch(0));
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 9);
        assert_eq!(sampler.epoch(5), 1);
        assert_eq!(Sampler::new(2, 5, 7).unwrap().batch(0).len(), 5);
        assert!(Sampler::new(0, 1, 7).is_none());
    }

    #[test]
    fn batches_come_in_order_and_bounded() {
        let made = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&made);
        let mut loader = Loader::start(5..40, 4, 3, move |t| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_micros(200 * (t * 7 % 5)));
            Ok(t)
        })
        .unwrap();
        for expected in 5..40 {
            assert_eq!(loader.next().unwrap().unwrap(), expected);
            assert!(made.load(Ordering::SeqCst) <= expected - 5 + 1 + 3);
        }
        assert!(loader.next().is_none());
        assert!(loader.waited() > Duration::ZERO);
    }

    #[test]
    fn waiting_for_the_first_batch_is_not_counted() {
        let make = |t: u64| {
            std::thread::sleep(Duration::from_millis(if t == 3 { 50 } else { 0 }));
            Ok(t)
        };
        let mut loader = Loader::start(3..4, 1, 1, make).unwrap();
        assert!(loader.next().is_some());
        assert_eq!(loader.waited(), Duration::ZERO);
    }

    #[test]
    fn errors_and_panics_arrive_at_their_batch() {
        let loader = Loader::start(0..3, 2, 2, |t| match t {
            1 => panic!("boom"),
            t => Ok(t),
        });
        let results: Vec<_> = loader.unwrap().collect();
        assert!(results[0].is_ok() && results[2].is_ok());
        let message = results[1].as_ref().unwrap_err().to_string();
        assert!(
            message.contains("batch 1") && message.contains("boom"),
            "{message}"
        );
    }

    #[test]
    fn dropping_stops_the_threads() {
        let made = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&made);
        let mut loader = Loader::start(0..1_000_000, 2, 4, move |t| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(t)
        })
        .unwrap();
        loader.next();
        drop(loader);
        let after = made.load(Ordering::SeqCst);
        assert!(after <= 6, "{after}");
        assert_eq!(Arc::strong_count(&made), 1);
    }
}
