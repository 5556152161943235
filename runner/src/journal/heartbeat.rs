//! A sign of life after silence.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Calls a function whenever nothing was heard for a while, until it is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Watch {
    /// Since when it has been silent; `None` once the thread must end.
    silent_since: Mutex<Option<Instant>>,
    ended: Condvar,
}

impl Heartbeat {
    /// Starts to listen. `beat` is called on a thread of its own.
    pub(super) fn start(silence: Duration, beat: impl Fn() + Send + 'static) -> Self {
        let watch = Arc::new(Watch {
            silent_since: Mutex::new(Some(Instant::now())),
            ended: Condvar::new(),
        });
        let watched = Arc::clone(&watch);
        let body = move || watched.beat_when_silent(silence, beat);
        // Without a thread the work is done all the same, in silence.
        let thread = std::thread::Builder::new().spawn(body).ok();
        Self { watch, thread }
    }

    /// Something was said.
    pub(super) fn heard(&self) {
        *self.watch.lock() = Some(Instant::now());
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        *self.watch.lock() = None;
        self.watch.ended.notify_all();
        if let Some(thread) = self.thread.take() {
            // A beat that panicked has said so itself.
            drop(thread.join());
        }
    }
}

impl Watch {
    fn beat_when_silent(&self, silence: Duration, beat: impl Fn()) {
        let mut guard = self.lock();
        while let Some(since) = *guard {
            let left = silence.saturating_sub(since.elapsed());
            if left.is_zero() {
                *guard = Some(Instant::now());
                // Unlocked, as whoever is heard meanwhile must not wait for a slow terminal.
                drop(guard);
                beat();
                guard = self.lock();
                continue;
            }
            let woken = self.ended.wait_timeout(guard, left);
            guard = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        let lock = self.silent_since.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SILENCE: Duration = Duration::from_millis(40);

    fn beats_of(use_it: impl Fn(&Heartbeat)) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let heart = Heartbeat::start(SILENCE, move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        use_it(&heart);
        drop(heart);
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn silence_is_broken_again_and_again() {
        let beats = beats_of(|_| std::thread::sleep(10 * SILENCE));
        assert!((2..=10).contains(&beats), "{beats}");
    }

    #[test]
    fn what_is_heard_puts_the_beat_off() {
        let beats = beats_of(|heart| {
            for _ in 0..20 {
                heart.heard();
                std::thread::sleep(SILENCE / 20);
            }
        });
        // A busy machine may oversleep now and then.
        assert!(beats <= 2, "{beats}");
    }

    #[test]
    fn the_end_is_not_waited_for() {
        let begun = Instant::now();
        drop(Heartbeat::start(Duration::from_secs(600), || ()));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
