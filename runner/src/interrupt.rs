//! Ctrl-C and SIGTERM: the first finishes the step and saves, the second ends at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// Listens for signals from now on.
///
/// # Errors
/// The system refuses a handler.
pub fn listen() -> Result<()> {
    let handler = || {
        if SIGNALS.fetch_add(1, Ordering::SeqCst) > 0 {
            std::process::exit(i32::from(Error::Interrupted.exit_code()));
        }
        eprintln!("finishing this step, then saving; once more ends at once");
    };
    ctrlc::set_handler(handler).map_err(|e| Error::Usage(format!("cannot listen for Ctrl-C: {e}")))
}

/// Whether a signal has come.
pub fn requested() -> bool {
    SIGNALS.load(Ordering::SeqCst) > 0
}
