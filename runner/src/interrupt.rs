//! Ctrl-C and SIGTERM: the first finishes what is being done, the second ends at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// What a run does until it ends.
pub const SAVING: &str = "finishing this step, then saving";

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// Listens for signals from now on. At the first the user is told `what` is done until the command ends.
///
/// # Errors
/// The system refuses a handler.
pub fn listen(what: &'static str) -> Result<()> {
    let handler = move || {
        if SIGNALS.fetch_add(1, Ordering::SeqCst) > 0 {
            std::process::exit(i32::from(Error::Interrupted.exit_code()));
        }
        eprintln!("{what}; once more ends at once");
    };
    ctrlc::set_handler(handler).map_err(|e| Error::Usage(format!("cannot listen for Ctrl-C: {e}")))
}

/// Whether a signal has come.
pub fn requested() -> bool {
    SIGNALS.load(Ordering::SeqCst) > 0
}
