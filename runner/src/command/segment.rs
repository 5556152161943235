//! `runner segment`: one object of an image, by SAM itself.

use std::io::Cursor;

use image::{GrayImage, ImageFormat, Luma};

use samora_engine::gpu::Precision;

use super::{expect_ending, open_device, prepare_output};
use crate::cli::SegmentArgs;
use crate::error::{Error, Result};
use crate::journal::print_result;
use crate::prompted::{Prompts, Segmenter, import};
use crate::run_dir::write_file;

/// Writes the mask that the prompts mean, and prints its predicted IoU and its area.
///
/// # Errors
/// Prompts outside the image, an image or weights that cannot be used, a device that fails, or a mask
/// that is read, exists or cannot be written.
pub fn segment(args: &SegmentArgs) -> Result<()> {
    expect_ending(&args.output, &[".png"])?;
    prepare_output(&args.output, &args.model, args.overwrite)?;
    let prompts = Prompts {
        points: args.points.clone(),
        rectangle: args.rectangle,
    };
    let model = &args.model;
    let picture = model.image.read(model.window, model.series.as_deref())?;
    prompts.check(picture.size())?;
    let (import, network) = import(&model.weights, model.model.as_deref())?;
    let device = open_device(&model.device, Precision::Exact)?;
    let fuse = !model.device.no_fuse;
    let mut segmenter = Segmenter::new(&device, fuse, network, import, &prompts)?;
    let found = segmenter.segment(&picture, &prompts)?;
    let mask = &found.mask;
    let drawn = GrayImage::from_fn(mask.width as u32, mask.height as u32, |x, y| {
        Luma([u8::from(mask.at(y as usize, x as usize)) * 255])
    });
    let failed = |e| Error::file(&args.output, "write", std::io::Error::other(e));
    let mut png = Cursor::new(Vec::new());
    drawn.write_to(&mut png, ImageFormat::Png).map_err(failed)?;
    write_file(&args.output, png.get_ref())?;
    let (area, all) = (
        mask.pixels.iter().filter(|p| **p).count(),
        mask.pixels.len(),
    );
    print_result(format_args!(
        "predicted IoU {:.3}\nmask area {area} of {}×{} pixels ({:.1} %)\n",
        found.predicted_iou,
        mask.width,
        mask.height,
        100.0 * area as f64 / all as f64
    ));
    Ok(())
}
