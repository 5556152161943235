//! The pipeline language: RON files, typed, with includes, overrides and errors that point.
//!
//! `file → assembled text → changes → variant → paths → typed → validated`.

mod assemble;
mod describe;
mod diagnostic;
mod differences;
mod encoder;
mod intensity;
mod overrides;
mod parse;
mod paths;
mod read;
mod schema;
mod source;
mod stages;
mod syntax;
#[cfg(test)]
mod tests;
mod validate;
mod variant;
mod variants;
mod vary;
mod weight_files;

pub use diagnostic::{Diagnostic, Place};
pub use differences::differences;
pub use encoder::{Encoded, Encoder};
pub use overrides::Override;
pub use paths::named_paths;
pub use read::{load, load_without_data, part_to_ron, read_part, to_ron};
pub use schema::Pipeline;
pub use stages::*;
pub use variant::{Adapter, Decoder, Transformer};
pub use vary::{Variation, variations};
pub use weight_files::WeightFiles;
