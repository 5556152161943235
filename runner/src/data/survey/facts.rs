//! What the files of one case hold.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::dataset::Dataset;
use crate::data::slice::depth;
use crate::data::source::{Axis, Intensity};
use crate::data::volume::Volume;

/// What a CT stored without its rescale intercept is off by.
pub(super) const CT_OFFSET: f32 = 1024.0;

/// What the files of a case hold, whatever the case is used for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Voxels right, anterior and superior.
    pub shape: [usize; 3],
    /// Millimetres right, anterior and superior.
    pub spacing_mm: [f64; 3],
    /// Orientation of the file, such as `LPS`.
    pub orientation: String,
    /// Least and greatest stored intensity.
    pub intensity: (f32, f32),
    /// SHA-256 over shape and intensities; `None` if the image is unusable.
    pub content: Option<[u8; 32]>,
    /// How the intensities lie in the data set's window, if it has one.
    pub window: Option<Shares>,
    /// How many values there are, if all are whole numbers in 0…255.
    pub small_numbers: Option<usize>,
    /// Voxels of each class 0, 1, …; empty without a label.
    pub class_voxels: Vec<usize>,
    /// The slices that show each class 0, 1, …, ascending.
    pub class_slices: Vec<Vec<usize>>,
    /// What makes the case unusable.
    pub problems: Vec<String>,
}

/// Shares of an image's voxels, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Below the window.
    pub below: f64,
    /// In the window.
    pub inside: f64,
    /// Above it.
    pub above: f64,
    /// In the window if the values were 1024 less.
    pub inside_without_offset: f64,
    /// Part of the window between the least and the greatest value.
    pub covered: f64,
}

impl Facts {
    /// Reads image and label of a case.
    pub(super) fn read(data: &Dataset, case: usize) -> Self {
        let mut facts = Self::default();
        let Some(found) = data.cases().get(case) else {
            return facts;
        };
        match data.stored_image(case) {
            Ok(image) => {
                facts.describe(&image, data.intensity());
                data.keep_image(case, image);
            }
            Err(error) => facts.problems.push(error.to_string()),
        }
        if found.label.is_some() && data.unreadable(case).is_none() {
            match data.label(case) {
                Ok(label) => {
                    let classes = data.classes().len();
                    facts.count(&label, classes, data.source().slice_axis());
                }
                Err(error) => facts.problems.push(error.to_string()),
            }
        }
        facts
    }

    fn describe(&mut self, image: &Volume<f32>, intensity: Intensity) {
        self.shape = image.grid.shape;
        self.spacing_mm = image.grid.spacing_mm;
        self.orientation = image.grid.orientation.codes();
        let voxels = || image.voxels.par_iter().copied();
        let low = voxels().reduce(|| f32::INFINITY, f32::min);
        let high = voxels().reduce(|| f32::NEG_INFINITY, f32::max);
        self.intensity = (low, high);
        let shape = image.grid.shape.map(|n| n as u64);
        let hash = Sha256::new_with_prefix(bytemuck::bytes_of(&shape));
        let hash = hash.chain_update(bytemuck::cast_slice(&image.voxels));
        self.content = Some(hash.finalize().into());
        self.small_numbers = small_numbers(&image.voxels);
        let problems = &mut self.problems;
        if low >= high {
            problems.push(format!("every voxel is {low}"));
        }
        if let Intensity::Window {
            low: from,
            high: to,
        } = intensity
        {
            if high <= from || low >= to {
                problems.push(format!(
                    "intensities {low}…{high} lie outside the window {from}…{to}"
                ));
            }
            self.window = Some(Shares::of(image, (low, high), (from, to)));
        }
        let spacing = image.grid.spacing_mm;
        if image
            .grid
            .spacings_mm()
            .any(|s| !(0.05..=20.0).contains(&s))
        {
            problems.push(format!(
                "a spacing of {spacing:?} mm is implausible; check the header"
            ));
        }
    }

    fn count(&mut self, label: &Volume<u8>, classes: usize, axis: Axis) {
        let [nx, ny, _] = label.grid.shape;
        let slices = depth(label.grid.shape, axis);
        let mut counts = vec![vec![0; slices]; classes + 1];
        for (index, class) in label.voxels.iter().enumerate() {
            let slice = match axis {
                Axis::Sagittal => index % nx,
                Axis::Coronal => index / nx % ny,
                Axis::Axial => index / (nx * ny),
            };
            counts[usize::from(*class)][slice] += 1;
        }
        self.class_voxels = counts.iter().map(|slices| slices.iter().sum()).collect();
        let shown = |slices: &Vec<usize>| {
            let shown = slices.iter().enumerate().filter(|(_, voxels)| **voxels > 0);
            shown.map(|(slice, _)| slice).collect()
        };
        self.class_slices = counts.iter().map(shown).collect();
    }
}

impl Shares {
    fn of(image: &Volume<f32>, (low, high): (f32, f32), (from, to): (f32, f32)) -> Self {
        let count = |holds: &(dyn Fn(f32) -> bool + Sync)| {
            let voxels = image.voxels.par_iter().filter(|v| holds(**v));
            voxels.count() as f64 / image.voxels.len().max(1) as f64
        };
        let (below, above) = (count(&|v| v < from), count(&|v| v > to));
        Self {
            below,
            above,
            inside: 1.0 - below - above,
            inside_without_offset: count(&|v| (from..=to).contains(&(v - CT_OFFSET))),
            covered: f64::from(high.min(to) - low.max(from)) / f64::from(to - from),
        }
    }
}

/// How many values there are, if all are whole numbers in 0…255.
fn small_numbers(voxels: &[f32]) -> Option<usize> {
    let mut seen = [false; 256];
    for voxel in voxels {
        let number = *voxel as u8;
        if f32::from(number) != *voxel {
            return None;
        }
        seen[usize::from(number)] = true;
    }
    Some(seen.iter().filter(|seen| **seen).count())
}
