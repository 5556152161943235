//! Runner.

pub mod data;
pub mod metrics;
