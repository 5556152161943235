//! What each subcommand does.

mod adapters;

pub use adapters::adapters;
