//! Decoded volumes kept in memory up to a budget; the least recently used go first.

use super::error::Result;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A cache of values numbered from 0. Threads that ask for the same missing value wait for one
/// load; different values load at the same time.
pub(super) struct Cache<T> {
    budget: usize,
    slots: Vec<Mutex<Option<Arc<T>>>>,
    usage: Mutex<Usage>,
}

/// Bytes held, and the held values from least to most recently used.
#[derive(Default)]
struct Usage {
    bytes: usize,
    order: Vec<(usize, usize)>,
}

impl<T> Cache<T> {
    /// A cache of `count` values that holds at most `budget` bytes (or the latest value, if that
    /// alone is larger).
    pub(super) fn new(count: usize, budget: usize) -> Self {
        Self {
            budget,
            slots: (0..count).map(|_| Mutex::new(None)).collect(),
            usage: Mutex::default(),
        }
    }

    /// Value `index`, from memory or from `load`, which returns it with its size in bytes.
    ///
    /// # Errors
    /// Those of `load`.
    pub(super) fn get(
        &self,
        index: usize,
        load: impl FnOnce() -> Result<(T, usize)>,
    ) -> Result<Arc<T>> {
        let Some(slot) = self.slots.get(index) else {
            return load().map(|(value, _)| Arc::new(value));
        };
        let mut held = lock(slot);
        if let Some(value) = held.as_ref() {
            let value = Arc::clone(value);
            drop(held);
            let mut usage = lock(&self.usage);
            if let Some(at) = usage.order.iter().position(|(i, _)| *i == index) {
                let entry = usage.order.remove(at);
                usage.order.push(entry);
            }
            return Ok(value);
        }
        let (value, bytes) = load()?;
        let value = Arc::new(value);
        *held = Some(Arc::clone(&value));
        // The slot's lock is released first: eviction takes other slots' locks.
        drop(held);
        for evicted in self.admit(index, bytes) {
            *lock(&self.slots[evicted]) = None;
        }
        Ok(value)
    }

    /// Bytes of the values held.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        lock(&self.usage).bytes
    }

    /// Books a new value and returns those that must go.
    fn admit(&self, index: usize, bytes: usize) -> Vec<usize> {
        let mut usage = lock(&self.usage);
        usage.bytes += bytes;
        usage.order.push((index, bytes));
        let mut evicted = Vec::new();
        while usage.bytes > self.budget && usage.order.len() > 1 {
            let (oldest, size) = usage.order.remove(0);
            usage.bytes -= size;
            evicted.push(oldest);
        }
        evicted
    }
}

/// A panic elsewhere leaves a slot either empty or whole, so a poisoned lock is still sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn keeps_the_recently_used_within_the_budget() {
        let cache = Cache::new(4, 20);
        let loads = AtomicUsize::new(0);
        let get = |index: usize| {
            let value = cache.get(index, || {
                loads.fetch_add(1, Ordering::Relaxed);
                Ok((index * 10, 10))
            });
            assert_eq!(*value.unwrap(), index * 10);
            loads.load(Ordering::Relaxed)
        };
        assert_eq!(get(0), 1);
        assert_eq!(get(1), 2);
        assert_eq!(get(0), 2, "held");
        assert_eq!(get(2), 3, "1 goes");
        assert_eq!(get(0), 3, "still held");
        assert_eq!(get(1), 4, "loaded again");
    }

    #[test]
    fn one_load_for_many_threads() {
        let cache = Cache::new(1, 100);
        let loads = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let load = || {
                        loads.fetch_add(1, Ordering::Relaxed);
                        Ok((5, 1))
                    };
                    assert_eq!(*cache.get(0, load).unwrap(), 5);
                });
            }
        });
        assert_eq!(loads.load(Ordering::Relaxed), 1);
    }
}
