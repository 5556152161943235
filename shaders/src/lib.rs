//! WGSL emission.
