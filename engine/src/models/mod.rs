//! Whole networks as pure functions: configuration and inputs in, values out. Parameters carry the
//! names of the published checkpoints.

pub mod hsam;
pub mod mae;
pub mod sam;
pub mod sam2;
pub mod samora;
pub mod simclr;
pub mod tiny_vit;
