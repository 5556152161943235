//! `runner embed`: an image as SAM's mask decoder sees it.

use std::collections::BTreeMap;
use std::slice::from_ref;

use samora_engine::Precision;
use samora_engine::weights::Weights;

use super::{expect_ending, open_device, prepare_outputs};
use crate::cli::EmbedArgs;
use crate::data::formats::numpy;
use crate::error::Result;
use crate::prompted::{Embedder, IMAGE_EMBED, Image, import};

/// Writes what the mask decoder sees of an image: the neck's output `[1, channels, rows, columns]`, or with all other
/// features by name.
///
/// # Errors
/// An image or weights that cannot be used, a device that fails, or features whose file is read, exists or cannot
/// be written.
pub fn embed(args: &EmbedArgs) -> Result<()> {
    expect_ending(&args.output, &[".npy", ".safetensors"])?;
    prepare_outputs(from_ref(&args.output), &args.model, args.overwrite)?;
    let model = &args.model;
    let (import, network) = import(&model.weights, model.model.as_deref(), model.size)?;
    let size = network.image_size_px();
    let file = &model.image;
    let image = match file.is_npy() {
        true => file.read_prepared(model.window, size)?,
        false => Image::Picture(file.read(model.window, model.series.as_deref())?),
    };
    let device = open_device(&model.device, Precision::Exact)?;
    let mut embedder = Embedder::new(&device, !model.device.no_fuse, network, import)?;
    let features = embedder.embed(&image)?;
    for (name, features) in &features {
        eprintln!("{name}: {:?}", features.shape);
    }
    let is_array = args
        .output
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    match features.get(IMAGE_EMBED).filter(|_| is_array) {
        Some(embed) => numpy::write_tensor(&args.output, embed)?,
        None => {
            let tensors = features;
            let metadata = BTreeMap::new();
            Weights { tensors, metadata }.write(&args.output)?;
        }
    }
    Ok(())
}
