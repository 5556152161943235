//! Volumes, datasets, slices, augmentation and the background loader.

pub mod augment;
pub mod bilinear;
mod cache;
pub mod dataset;
pub mod error;
pub mod formats;
pub mod intensity;
pub mod label_order;
pub mod layout;
pub mod loader;
pub mod slice;
pub mod source;
pub mod split;
pub mod survey;
pub mod views;
pub mod volume;
pub mod zoom;
