//! Layers and losses, composed of ops.

pub mod loss;
