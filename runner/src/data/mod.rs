//! Volumes, datasets, slices, augmentation and the background loader.

pub mod augment;
pub mod bilinear;
mod cache;
pub mod dataset;
mod declared;
pub mod decode;
mod elastic;
pub mod error;
pub mod formats;
mod gaussian;
#[cfg(test)]
pub(crate) mod golden;
pub mod input_intensity;
pub mod intensity;
pub mod label_order;
pub mod layout;
pub mod loader;
pub mod memory;
mod plane_cache;
mod plane_file;
pub mod prepare;
pub mod quirk;
mod room;
mod sampling;
pub mod slice;
pub mod source;
pub mod split;
pub mod survey;
pub mod views;
pub mod volume;
pub mod zoom;
