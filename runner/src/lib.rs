//! Runner.

pub mod data;
