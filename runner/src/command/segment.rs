//! `runner segment`: one object of an image by SAM itself, or all classes by what was trained on it.

use std::io::Cursor;
use std::path::PathBuf;

use image::{GrayImage, ImageFormat, Luma};

use samora_engine::Precision;
use samora_engine::Tensor;

use super::{expect_ending, open_device, prepare_outputs};
use crate::cli::SegmentArgs;
use crate::data::decode;
use crate::data::formats::{self, numpy};
use crate::data::slice::{depth, slice};
use crate::data::source::{Axis, Intensity};
use crate::error::{Error, Result};
use crate::fine_tuned::{FineTuned, Published};
use crate::journal::print_result;
use crate::prompted::{Image, Prompts, Segmenter, Window, import};
use crate::run_dir::write_file;

/// Writes the mask that the prompts mean and, on request, the logits of all masks; prints their predicted IoUs and
/// the mask's area.
///
/// # Errors
/// Prompts outside the image, an image or weights that cannot be used, a device that fails, or a mask
/// that is read, exists or cannot be written.
pub fn segment(args: &SegmentArgs) -> Result<()> {
    expect_ending(&args.output, &[".png"])?;
    let mut written: Vec<PathBuf> = vec![args.output.clone()];
    if let Some(logits) = &args.logits {
        expect_ending(logits, &[".npy"])?;
        written.push(logits.clone());
    }
    prepare_outputs(&written, &args.model, args.overwrite)?;
    let prompts = Prompts {
        points: args.points.clone(),
        rectangle: args.rectangle,
    };
    if prompts == Prompts::default() {
        return segment_classes(args);
    }
    let model = &args.model;
    let file = &model.image;
    let picture = match file.is_prepared() {
        true => None,
        false => Some(file.read(model.window, model.series.as_deref())?),
    };
    if let Some(picture) = &picture {
        prompts.check(picture.size())?;
    }
    let (import, network) = import(&model.weights, model.model.as_deref(), model.size)?;
    let image = match picture {
        Some(picture) => Image::Picture(picture),
        None => file.read_prepared(model.window, network.image_size_px())?,
    };
    let device = open_device(&model.device, Precision::Exact)?;
    let fuse = !model.device.no_fuse;
    let mut segmenter = Segmenter::new(&device, fuse, network, import, &prompts)?;
    let found = segmenter.segment(&image, &prompts)?;
    let mask = &found.mask;
    let drawn = GrayImage::from_fn(mask.width as u32, mask.height as u32, |x, y| {
        Luma([u8::from(mask.at(y as usize, x as usize)) * 255])
    });
    write(args, &drawn, &found.logits)?;
    let (area, all) = (
        mask.pixels.iter().filter(|p| **p).count(),
        mask.pixels.len(),
    );
    let ious: Vec<String> = found.predicted_ious.iter().map(f32::to_string).collect();
    print_result(format_args!(
        "predicted IoU {}\nmask {} of {}, predicted IoUs {}\nmask area {area} of {}×{} pixels ({:.1} %)\n",
        ious[found.chosen],
        found.chosen,
        ious.len(),
        ious.join(" "),
        mask.width,
        mask.height,
        100.0 * area as f64 / all as f64
    ));
    Ok(())
}

/// Writes the class of every pixel, by weights that segment classes without prompts, and prints the classes' areas.
fn segment_classes(args: &SegmentArgs) -> Result<()> {
    let model = &args.model;
    let image = &model.image;
    let is_volume = formats::is_volume(&image.path);
    // Of pictures it is known what is black and white.
    let of_picture = Intensity::Window {
        low: 0.0,
        high: 255.0,
    };
    let network = FineTuned::published(&Published {
        weights: model.weights.clone(),
        model: model.model.clone(),
        size_px: model.size,
        intensity: match is_volume {
            true => model.window.map(Window::intensity),
            false => Some(of_picture),
        },
        ..args.training.published()
    })?;
    let scan = formats::scan(&image.path, model.series.as_deref())?;
    let volume = decode::scan(&scan, &network.source)?;
    let axis = network.source.slice_axis();
    let count = depth(volume.grid.shape, axis);
    let index = image.slice.unwrap_or(count / 2);
    let Some(plane) = slice(&volume, axis, index) else {
        let path = image.path.display();
        let message = format!("{path} has no slice {index}; choose one of 0…{}", count - 1);
        return Err(Error::Usage(message));
    };
    // A picture is shown to the network as it is.
    let plane = match is_volume {
        true => plane,
        false => plane.radiological(axis),
    };
    let device = open_device(&model.device, Precision::Exact)?;
    let mut segmenter = network.segmenter(&device, !model.device.no_fuse)?;
    let (labels, logits) = segmenter.plane(&image.path, &plane)?;
    let labels = match (is_volume, axis) {
        (false, _) => labels,
        (true, Axis::Axial) => labels.neurological(),
        (true, _) => labels.radiological(axis),
    };
    let drawn = GrayImage::from_fn(labels.width as u32, labels.height as u32, |x, y| {
        Luma([labels.at(y as usize, x as usize)])
    });
    write(args, &drawn, &logits)?;
    let all = labels.pixels.len();
    for (value, name) in (1..).zip(&network.classes) {
        let area = labels
            .pixels
            .iter()
            .filter(|label| **label == value)
            .count();
        print_result(format_args!(
            "{value} {name}: area {area} of {}×{} pixels ({:.1} %)\n",
            labels.width,
            labels.height,
            100.0 * area as f64 / all as f64
        ));
    }
    Ok(())
}

/// Writes the picture and, where they are asked for, the logits.
fn write(args: &SegmentArgs, drawn: &GrayImage, logits: &Tensor) -> Result<()> {
    let failed = |e| Error::file(&args.output, "write", std::io::Error::other(e));
    let mut png = Cursor::new(Vec::new());
    drawn.write_to(&mut png, ImageFormat::Png).map_err(failed)?;
    write_file(&args.output, png.get_ref())?;
    if let Some(path) = &args.logits {
        numpy::write_tensor(path, logits)?;
        eprintln!("{}: {:?}", path.display(), logits.shape);
    }
    Ok(())
}
