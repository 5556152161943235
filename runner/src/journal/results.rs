//! Results on standard output.

use std::fmt::Display;
use std::io::Write;

/// Prints a result. A reader that has gone away, such as `head`, is no failure.
pub fn print_result(text: impl Display) {
    let mut out = std::io::stdout().lock();
    // There is nobody left to tell.
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}
