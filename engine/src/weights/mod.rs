//! Named tensors: weight files of published layouts, and the initial weights of a graph.

mod contents;
mod element;
mod export;
mod file;
mod header;
mod import;
mod layout;
mod map;
mod named;
mod pth;
mod replace;
mod report;
mod resize;

pub use contents::Entry;
pub use element::Element;
pub use export::{hsam, samed_lora, samora, samora_payload};
pub use file::{Format, WeightFile};
pub use import::{Decoder, Import, MaskHeads, fit};
pub use named::Weights;
pub use pth::{Item, write_torch};
pub use report::LoadReport;
pub use resize::{resize_positions, resize_relative};
