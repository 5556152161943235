//! Volumes, datasets, slices, augmentation and the background loader.

pub mod error;
pub mod nifti;
pub mod nifti_header;
mod nifti_write;
pub mod source;
pub mod volume;
