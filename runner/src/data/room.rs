//! Memory that threads take before they fill it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A number of bytes that threads share.
pub(super) struct Room {
    bytes: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

/// Bytes taken until it is dropped.
pub(super) struct Taken<'a> {
    room: &'a Room,
    bytes: usize,
}

impl Room {
    /// Room of `bytes`, at least one.
    pub(super) fn new(bytes: usize) -> Self {
        let bytes = bytes.max(1);
        Self {
            bytes,
            free: Mutex::new(bytes),
            freed: Condvar::new(),
        }
    }

    /// Waits until `bytes` are free, or all there are where that is fewer: what needs more than the room
    /// has it alone.
    pub(super) fn take(&self, bytes: usize) -> Taken<'_> {
        let bytes = bytes.clamp(1, self.bytes);
        let mut free = self.lock();
        while *free < bytes {
            let waited = self.freed.wait(free);
            free = waited.unwrap_or_else(PoisonError::into_inner);
        }
        *free -= bytes;
        Taken { room: self, bytes }
    }

    /// A number is whole whoever panicked.
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.room.lock() += self.bytes;
        self.room.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// The most bytes that were taken at the same time.
    fn most_taken(room: usize, demands: &[usize]) -> usize {
        let (taken, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let room = Room::new(room);
        std::thread::scope(|scope| {
            for &bytes in demands {
                let (room, taken, most) = (&room, &taken, &most);
                scope.spawn(move || {
                    let _taken = room.take(bytes);
                    let now = taken.fetch_add(bytes, Ordering::SeqCst) + bytes;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    taken.fetch_sub(bytes, Ordering::SeqCst);
                });
            }
        });
        most.into_inner()
    }

    #[test]
    fn threads_take_turns_where_they_do_not_fit() {
        assert!(most_taken(25, &[10; 8]) <= 20);
        assert_eq!(most_taken(25, &[1000, 10, 10]), 1000, "alone");
        assert_eq!(most_taken(0, &[10; 8]), 10, "one at a time");
    }
}
