//! LiteMedSAM's Dice on a CT for boxes around labelled organs, against what PyTorch reaches: of each
//! organ the axial slice with most of it, in the abdomen's window, with the box that its label fills.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;

use samora_runner::data::formats::{self, Arrays};
use samora_runner::data::layout::SYNAPSE_CLASSES;
use samora_runner::data::slice::{Plane, depth, slice};
use samora_runner::data::source::Axis;
use samora_runner::data::volume::Volume;
use samora_runner::metrics::overlap::dice;
use samora_runner::prompted::{Image, PictureFile, Prompts, Rectangle, Segmenter, Window, import};
use samora_tests::default_device;

/// PyTorch's Dice of the organs in the order of their labels.
const PYTORCH: [f64; 8] = [0.928, 0.910, 0.942, 0.957, 0.972, 0.949, 0.857, 0.697];
const TOLERANCE: f64 = 0.005;
const ABDOMEN: Window = Window {
    centre: 40.0,
    width: 400.0,
};

#[test]
#[ignore = "takes minutes on a software adapter; needs SAMORA_DATA"]
fn boxes_around_organs_reach_pytorchs_dice() {
    let Some(root) = std::env::var_os("SAMORA_DATA").map(PathBuf::from) else {
        println!("skipped: set SAMORA_DATA to a folder with medsam_lite/ and totalseg/");
        return;
    };
    let labels = root.join("totalseg/example_seg_synapse8.nii.gz");
    let labels = formats::read_labels(&labels, Arrays::default()).unwrap();
    let (import, model) = import(&[root.join("medsam_lite/lite_medsam.pth")], None, None).unwrap();
    let form = Prompts {
        points: Vec::new(),
        rectangle: Some(around(&Plane::from_fn(1, 1, |_, _| true))),
    };
    let mut segmenter = Segmenter::new(default_device(), true, model, import, &form).unwrap();
    println!("organ          slice  PyTorch  here   predicted IoU");
    let mut furthest = 0.0f64;
    for ((class, organ), pytorch) in (1..).zip(SYNAPSE_CLASSES).zip(PYTORCH) {
        let (index, truth) = largest(&labels, class);
        let picture = PictureFile {
            path: root.join("totalseg/example_ct.nii.gz"),
            slice: Some(index),
        };
        let picture = picture.read(Some(ABDOMEN), None).unwrap();
        let prompts = Prompts {
            points: Vec::new(),
            rectangle: Some(around(&truth)),
        };
        let image = Image::Picture(picture);
        let found = segmenter.segment(&image, &prompts).unwrap();
        let dice = overlap(&found.mask, &truth);
        let iou = found.predicted_ious[found.chosen];
        println!("{organ:<14} {index:>5}  {pytorch:.3}    {dice:.3}  {iou:.3}");
        furthest = furthest.max((dice - pytorch).abs());
    }
    assert!(furthest <= TOLERANCE, "off by {furthest:.4}");
}

/// The axial slice with most voxels of `class`, and where it is there.
fn largest(labels: &Volume<u8>, class: u8) -> (usize, Plane<bool>) {
    let mask = |index: usize| {
        let plane = slice(labels, Axis::Axial, index).unwrap().neurological();
        Plane::from_fn(plane.height, plane.width, |r, c| plane.at(r, c) == class)
    };
    let masks = (0..depth(labels.grid.shape, Axis::Axial)).map(|i| (i, mask(i)));
    // Of equals, `max_by_key` takes the last: here the lowest slice, as NumPy's argmax does.
    masks.rev().max_by_key(|(_, mask)| area(mask)).unwrap()
}

/// The box whose edges the mask touches.
fn around(mask: &Plane<bool>) -> Rectangle {
    let within = |count: usize, on: &dyn Fn(usize) -> bool| {
        let first = (0..count).find(|i| on(*i)).unwrap();
        let last = (0..count).rfind(|i| on(*i)).unwrap();
        (first as f32, last as f32 + 1.0)
    };
    let (y0, y1) = within(mask.height, &|r| (0..mask.width).any(|c| mask.at(r, c)));
    let (x0, x1) = within(mask.width, &|c| (0..mask.height).any(|r| mask.at(r, c)));
    Rectangle { x0, y0, x1, y1 }
}

fn overlap(found: &Plane<bool>, truth: &Plane<bool>) -> f64 {
    let both = found.pixels.iter().zip(&truth.pixels);
    let both = both.filter(|(f, t)| **f && **t).count();
    dice(both, area(found), area(truth))
}

fn area(mask: &Plane<bool>) -> usize {
    mask.pixels.iter().filter(|p| **p).count()
}
