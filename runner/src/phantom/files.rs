//! Phantoms in the layouts that datasets are passed around in, under the names of their published lists.

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::error::{DataError, Result};
use crate::data::formats::{ArrayAxes, hdf5, metaimage, nifti, nrrd, numpy};
use crate::data::intensity::normalize;
use crate::data::layout::SYNAPSE_LABEL_MAP;
use crate::data::source::{Intensity, Split};
use crate::data::split::published_cases;
use crate::data::volume::{Orientation, Volume};

/// How the files are named, stored and labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Layout {
    /// `img/imgNNNN.nii.gz` and `label/labelNNNN.nii.gz` with Synapse's original label values
    Synapse,
    /// `train_npz/caseNNNN_sliceNNN.npz` and `test_vol_h5/caseNNNN.npy.h5`, windowed, as SAMed
    /// preprocesses Synapse
    SynapsePreprocessed,
    /// `NAME/lgemri.nrrd` and `NAME/laendo.nrrd` of LA 2018; the liver stands for the left atrium
    La,
    /// `NAME/mri_norm2.h5`, z-scored, as UA-MT preprocesses LA 2018
    LaH5,
    /// `CaseNN.mhd` and `CaseNN_segmentation.mhd` of PROMISE12; the liver stands for the prostate
    Promise12,
    /// `images/phantom_NNN.nii.gz` and `labels/phantom_NNN.nii.gz` with classes 1…8
    Folder,
}

impl Layout {
    /// Where the axes of the real files run, as far as phantoms follow them.
    pub(super) fn directions(self) -> Orientation {
        match self {
            Self::Synapse | Self::SynapsePreprocessed => Orientation::LAS,
            Self::La | Self::LaH5 | Self::Promise12 | Self::Folder => Orientation::LPS,
        }
    }
}

/// Synapse's original label value of the organ that stands for the only one of a dataset.
const LIVER: u8 = 6;

/// What SAMed's preprocessing makes 0 and 1.
const WINDOW_HU: (f32, f32) = (-125.0, 275.0);

/// Makes the folders of a layout.
pub(super) fn create_folders(layout: Layout, out: &Path) -> Result<()> {
    let folders: &[&str] = match layout {
        Layout::Synapse => &["img", "label"],
        Layout::SynapsePreprocessed => &["train_npz", "test_vol_h5"],
        Layout::Folder => &["images", "labels"],
        Layout::La | Layout::LaH5 | Layout::Promise12 => &[],
    };
    create(out)?;
    folders
        .iter()
        .try_for_each(|folder| create(&out.join(folder)))
}

/// Writes a case and returns its image file, of slices the last.
pub(super) fn write(
    layout: Layout,
    out: &Path,
    case: usize,
    image: Volume<i16>,
    labels: Volume<u8>,
) -> Result<PathBuf> {
    match layout {
        Layout::Synapse => {
            let (name, _) = name(&Split::Synapse18x12, case);
            let number = name.trim_start_matches("case");
            let path = out.join(format!("img/img{number}.nii.gz"));
            nifti::write(&path, &image)?;
            nifti::write(&out.join(format!("label/label{number}.nii.gz")), &labels)?;
            Ok(path)
        }
        Layout::SynapsePreprocessed => {
            let (name, trains) = name(&Split::Synapse18x12, case);
            let (low, high) = WINDOW_HU;
            let image = mapped(image, |hu| {
                ((f32::from(hu) - low) / (high - low)).clamp(0.0, 1.0)
            });
            let labels = mapped(labels, samed_class);
            match trains {
                true => write_slices(&out.join("train_npz"), &name, &image, &labels),
                false => {
                    let path = out.join(format!("test_vol_h5/{name}.npy.h5"));
                    hdf5::write(&path, &image, &labels, ArrayAxes::Zyx)?;
                    Ok(path)
                }
            }
        }
        Layout::La => {
            let (name, _) = name(&Split::La80x20, case);
            create(&out.join(&name))?;
            let path = out.join(&name).join("lgemri.nrrd");
            nrrd::write(&path, &mapped(image, grey))?;
            let only = mapped(labels, |value| if value == LIVER { 255_u8 } else { 0 });
            nrrd::write(&out.join(&name).join("laendo.nrrd"), &only)?;
            Ok(path)
        }
        Layout::LaH5 => {
            let (name, _) = name(&Split::La80x20, case);
            create(&out.join(&name))?;
            let path = out.join(&name).join("mri_norm2.h5");
            let mut image = mapped(image, |hu| f32::from(grey(hu)));
            normalize(&mut image.voxels, Intensity::ZScore);
            let only = mapped(labels, |value| u8::from(value == LIVER));
            hdf5::write(&path, &image, &only, ArrayAxes::Xyz)?;
            Ok(path)
        }
        Layout::Promise12 => {
            let (name, _) = name(&Split::Promise40x10, case);
            let path = out.join(format!("{name}.mhd"));
            metaimage::write(&path, &mapped(image, |hu| hu.saturating_add(1024)))?;
            let only = mapped(labels, |value| u8::from(value == LIVER));
            metaimage::write(&out.join(format!("{name}_segmentation.mhd")), &only)?;
            Ok(path)
        }
        Layout::Folder => {
            let name = format!("phantom_{:03}.nii.gz", case + 1);
            let path = out.join("images").join(&name);
            nifti::write(&path, &image)?;
            nifti::write(
                &out.join("labels").join(&name),
                &mapped(labels, samed_class),
            )?;
            Ok(path)
        }
    }
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| DataError::io(folder, "create", e))
}

/// Name of a case, and whether it trains: three of the published training cases followed by two test
/// cases, so that any few cases serve the published split.
pub(super) fn name(split: &Split, case: usize) -> (String, bool) {
    let [train, test] = published_cases(split).unwrap_or_default();
    let (group, place) = (case / 5, case % 5);
    let found = match place {
        0..3 => train.get(3 * group + place),
        _ => test.get(2 * group + place - 3),
    };
    let beyond = || match split {
        Split::Promise40x10 => format!("Case{:02}", case + 50),
        _ => format!("case{:04}", case + 11),
    };
    (found.cloned().unwrap_or_else(beyond), place < 3)
}

/// SAMed's class of an original label value.
pub(super) fn samed_class(value: u8) -> u8 {
    SYNAPSE_LABEL_MAP
        .get(usize::from(value))
        .copied()
        .unwrap_or(0)
}

/// The range of soft tissue in 0…255.
fn grey(hu: i16) -> u8 {
    ((f32::from(hu) + 160.0) / 400.0 * 255.0).clamp(0.0, 255.0) as u8
}

fn mapped<A, B>(volume: Volume<A>, each: impl Fn(A) -> B) -> Volume<B> {
    Volume {
        grid: volume.grid,
        voxels: volume.voxels.into_iter().map(each).collect(),
        path: volume.path,
    }
}

/// One archive for each axial slice, rows and columns as the stored volume has them.
fn write_slices(
    folder: &Path,
    name: &str,
    image: &Volume<f32>,
    labels: &Volume<u8>,
) -> Result<PathBuf> {
    let [nx, ny, nz] = image.grid.stored_shape();
    let (intensities, values) = (image.to_stored(), labels.to_stored());
    let mut path = folder.to_owned();
    for slice in 0..nz {
        let pixels = slice * nx * ny..(slice + 1) * nx * ny;
        let label: Vec<f32> = values[pixels.clone()]
            .iter()
            .map(|v| f32::from(*v))
            .collect();
        path = folder.join(format!("{name}_slice{slice:03}.npz"));
        let arrays = [("image", &intensities[pixels]), ("label", label.as_slice())];
        numpy::write_archive(&path, &arrays, &[ny, nx])?;
    }
    Ok(path)
}
