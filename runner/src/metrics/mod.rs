//! Volume-level segmentation metrics.

pub mod distance;
pub mod metric;
pub mod overlap;
mod region;
pub mod statistics;
pub mod summary;
pub mod surface;
pub mod volume;
