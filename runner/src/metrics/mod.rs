//! Volume-level segmentation metrics.

pub mod dice;
pub mod distance;
pub mod hd95;
pub mod volume;
