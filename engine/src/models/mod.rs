//! Whole networks as pure functions: configuration and inputs in, values out. Parameters carry the
//! names of the published checkpoints.

pub mod sam;
