//! Dataset declarations as a pipeline file writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::formats::{ArrayAxes, Arrays};
use super::label_order::LabelOrder;
use super::layout::SYNAPSE_CLASSES;
use super::volume::Orientation;

/// Where a dataset lies, how its intensities are scaled and how its cases are divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Source {
    /// Synapse multi-atlas abdomen, of whose 13 labels eight are kept, in SAMed's order.
    Synapse {
        /// Folder that holds `img` and `label` with the original volumes, or `train_npz` and
        /// `test_vol_h5` as TransUNet and SAMed preprocess them.
        root: PathBuf,
        /// Training and test cases.
        #[serde(default = "Split::synapse")]
        split: Split,
        /// Which training slices keep their labels.
        #[serde(default)]
        labelled: Labelled,
        /// Hounsfield units that become 0 and 1 in original volumes.
        #[serde(default = "abdomen_window")]
        window_hu: (f32, f32),
        /// Order of the organs in preprocessed files; without it the files must tell.
        #[serde(default)]
        label_order: Option<LabelOrder>,
        /// How the arrays of preprocessed files lie: (z, y, x) of volumes that are stored to the left, the
        /// front and the head.
        #[serde(default = "synapse_arrays")]
        arrays: Arrays,
        /// Where `root` does not exist, writes this many phantom cases into it.
        #[serde(default)]
        phantoms: Option<usize>,
    },
    /// Left atrium (LA 2018): the challenge's `NAME/lgemri.nrrd` with `NAME/laendo.nrrd`, or UA-MT's
    /// `NAME/mri_norm2.h5` or `NAME.h5`, where the name may begin with `train_` or `test_`.
    La {
        /// Folder that holds the cases.
        root: PathBuf,
        /// Training and test cases.
        #[serde(default = "Split::la")]
        split: Split,
        /// Which training slices keep their labels.
        #[serde(default)]
        labelled: Labelled,
        /// How intensities are scaled.
        #[serde(default)]
        intensity: Intensity,
    },
    /// Prostate (PROMISE12): `CaseNN.mhd` with `CaseNN_segmentation.mhd`.
    Promise12 {
        /// Folder that holds the cases.
        root: PathBuf,
        /// Training and test cases.
        #[serde(default = "Split::promise")]
        split: Split,
        /// Which training slices keep their labels.
        #[serde(default)]
        labelled: Labelled,
        /// How intensities are scaled.
        #[serde(default)]
        intensity: Intensity,
    },
    /// nnU-Net's raw datasets, and folders of the Medical Segmentation Decathlon: `dataset.json`,
    /// `imagesTr` and `labelsTr`.
    NnUnet {
        /// Folder that holds `dataset.json`.
        root: PathBuf,
        /// Names of classes 1, 2, …, as in `dataset.json`.
        classes: Vec<String>,
        /// Channel of the images, from 0: of files `NAME_CCCC`, or of the values in each voxel of `NAME`.
        #[serde(default)]
        channel: usize,
        /// Training and test cases.
        #[serde(default)]
        split: Split,
        /// Which training slices keep their labels.
        #[serde(default)]
        labelled: Labelled,
        /// How intensities are scaled.
        #[serde(default)]
        intensity: Intensity,
        /// Axis across the slices.
        #[serde(default)]
        slices: Axis,
        /// How arrays and pictures lie, which have no geometry.
        #[serde(default)]
        arrays: Arrays,
    },
    /// Folders of images and label maps in any format, paired by file name: `NAME` with `NAME`, `NAME_gt`,
    /// `NAME-label` and the like, also `NAME_0000` with `NAME`, `volume-N` with `segmentation-N`.
    Folder {
        /// Folder of images.
        images: PathBuf,
        /// Folder of label maps; without it no case has labels.
        #[serde(default)]
        labels: Option<PathBuf>,
        /// Other names of an image and its label; `*` stands for what both share, as in
        /// `("*_t2", "*_manual")`.
        #[serde(default)]
        names: Option<(String, String)>,
        /// Names of classes 1, 2, ….
        classes: Vec<String>,
        /// The class of each label value, such as `{255: 1}`; without it the values are the classes.
        #[serde(default)]
        label_map: BTreeMap<u8, u8>,
        /// Training and test cases.
        #[serde(default)]
        split: Split,
        /// Which training slices keep their labels.
        #[serde(default)]
        labelled: Labelled,
        /// How intensities are scaled.
        #[serde(default)]
        intensity: Intensity,
        /// Axis across the slices.
        #[serde(default)]
        slices: Axis,
        /// How arrays and pictures lie, which have no geometry.
        #[serde(default)]
        arrays: Arrays,
    },
    /// Unlabelled images in any format, anywhere below some folders; volumes give all their slices. What is
    /// called like label maps is left out, and counted.
    Images {
        /// The folders.
        roots: Vec<PathBuf>,
        /// Files and folders to leave out, as in `.gitignore`: `*_scout.nii.gz` at any depth,
        /// `ct/*/old` by the path from a root. Label maps are left out by their names (`labelsTr`,
        /// `segmentation`, `NAME_seg` and the like) without a pattern.
        #[serde(default)]
        exclude: Vec<String>,
        /// How intensities are scaled.
        #[serde(default)]
        intensity: Intensity,
        /// Axis across the slices.
        #[serde(default)]
        slices: Axis,
        /// How arrays and pictures lie, which have no geometry.
        #[serde(default)]
        arrays: Arrays,
    },
}

impl Source {
    /// Names of the foreground classes; class `i + 1` of a label map is entry `i`.
    pub fn classes(&self) -> Vec<String> {
        match self {
            Self::Synapse { .. } => SYNAPSE_CLASSES.map(str::to_owned).to_vec(),
            Self::La { .. } => vec!["left atrium".to_owned()],
            Self::Promise12 { .. } => vec!["prostate".to_owned()],
            Self::NnUnet { classes, .. } | Self::Folder { classes, .. } => classes.clone(),
            Self::Images { .. } => Vec::new(),
        }
    }

    /// The folder that identifies the dataset in messages.
    pub fn root(&self) -> &Path {
        match self {
            Self::Synapse { root, .. }
            | Self::La { root, .. }
            | Self::Promise12 { root, .. }
            | Self::NnUnet { root, .. } => root,
            Self::Folder { images, .. } => images,
            Self::Images { roots, .. } => roots.first().map_or(Path::new(""), PathBuf::as_path),
        }
    }

    /// Training and test cases.
    pub fn split(&self) -> &Split {
        match self {
            Self::Synapse { split, .. }
            | Self::La { split, .. }
            | Self::Promise12 { split, .. }
            | Self::NnUnet { split, .. }
            | Self::Folder { split, .. } => split,
            Self::Images { .. } => &Split::AllTrain,
        }
    }

    /// Which training slices keep their labels.
    pub fn labelled(&self) -> &Labelled {
        match self {
            Self::Synapse { labelled, .. }
            | Self::La { labelled, .. }
            | Self::Promise12 { labelled, .. }
            | Self::NnUnet { labelled, .. }
            | Self::Folder { labelled, .. } => labelled,
            Self::Images { .. } => &Labelled::All,
        }
    }

    /// How intensities are scaled, in volumes with intensities of their own.
    pub fn intensity(&self) -> Intensity {
        match self {
            Self::Synapse { window_hu, .. } => Intensity::Window {
                low: window_hu.0,
                high: window_hu.1,
            },
            Self::La { intensity, .. }
            | Self::Promise12 { intensity, .. }
            | Self::NnUnet { intensity, .. }
            | Self::Folder { intensity, .. }
            | Self::Images { intensity, .. } => *intensity,
        }
    }

    /// How the arrays of files without geometry lie.
    pub fn arrays(&self) -> Arrays {
        match self {
            // UA-MT's files keep the axes of the challenge's volumes, and its cubic voxels.
            Self::La { .. } => Arrays {
                axes: ArrayAxes::Xyz,
                directions: Orientation::LPS,
                spacing_mm: [0.625; 3],
            },
            Self::Promise12 { .. } => Arrays::default(),
            Self::Synapse { arrays, .. }
            | Self::NnUnet { arrays, .. }
            | Self::Folder { arrays, .. }
            | Self::Images { arrays, .. } => *arrays,
        }
    }

    /// The same data set with its intensities scaled otherwise.
    ///
    /// # Errors
    /// Synapse, whose intensities are those of a window, given something else.
    pub fn with_intensity(mut self, new: Intensity) -> std::result::Result<Self, String> {
        match (&mut self, new) {
            (Self::Synapse { window_hu, .. }, Intensity::Window { low, high }) => {
                *window_hu = (low, high);
            }
            (Self::Synapse { .. }, _) => {
                return Err("the pipeline's data set is Synapse, which takes a --window".into());
            }
            (
                Self::La { intensity, .. }
                | Self::Promise12 { intensity, .. }
                | Self::NnUnet { intensity, .. }
                | Self::Folder { intensity, .. }
                | Self::Images { intensity, .. },
                new,
            ) => *intensity = new,
        }
        Ok(self)
    }

    /// Axis across the slices.
    pub fn slice_axis(&self) -> Axis {
        match self {
            Self::NnUnet { slices, .. }
            | Self::Folder { slices, .. }
            | Self::Images { slices, .. } => *slices,
            Self::Synapse { .. } | Self::La { .. } | Self::Promise12 { .. } => Axis::Axial,
        }
    }
}

/// Which cases train and which test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Split {
    /// Every case trains.
    #[default]
    AllTrain,
    /// Every case tests.
    AllTest,
    /// TransUNet's Synapse split: 18 training and 12 test cases.
    #[serde(rename = "synapse_18_12")]
    Synapse18x12,
    /// UA-MT's LA split: 80 training and 20 test cases.
    #[serde(rename = "la_80_20")]
    La80x20,
    /// H-SAM's PROMISE12 split: ten test cases, the other 40 train.
    #[serde(rename = "promise_40_10")]
    Promise40x10,
    /// Of the cases sorted by name, the first `train` train and the next `test` test.
    First {
        /// Training cases.
        train: usize,
        /// Test cases.
        test: usize,
    },
    /// A share of the cases, drawn by `seed`, tests.
    Fraction {
        /// Share of test cases, 0 to 1; rounded, but at least one case on either side.
        test: f32,
        /// Seed of the draw.
        seed: u64,
    },
    /// Text files with one case name a line.
    Lists {
        /// File of training cases.
        train: PathBuf,
        /// File of test cases.
        test: PathBuf,
    },
}

impl Split {
    fn synapse() -> Self {
        Self::Synapse18x12
    }

    fn la() -> Self {
        Self::La80x20
    }

    fn promise() -> Self {
        Self::Promise40x10
    }
}

/// Which training slices keep their labels; the others are unlabelled images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Labelled {
    /// Every training slice.
    #[default]
    All,
    /// H-SAM's 10 % of the Synapse training slices: 221 slices of 18 cases.
    #[serde(rename = "synapse_10pct_221")]
    Synapse10Pct221,
    /// H-SAM's four LA cases: 224 slices that contain the atrium.
    #[serde(rename = "la_4")]
    La4,
    /// H-SAM's three PROMISE12 cases: 58 slices that contain the prostate.
    #[serde(rename = "promise_3")]
    Promise3,
    /// All slices of the first cases by name.
    First(usize),
    /// All slices of a share of the training cases, drawn by `seed`.
    Fraction {
        /// Share of the training cases, 0 to 1; rounded, but at least one.
        cases: f32,
        /// Seed of the draw.
        seed: u64,
    },
    /// A share of all training slices, drawn by `seed`.
    FractionOfSlices {
        /// Share of the training slices, 0 to 1; rounded down, but at least one.
        slices: f32,
        /// Seed of the draw.
        seed: u64,
    },
    /// A text file with one case name, or one `NAME_sliceNNN`, a line.
    List(PathBuf),
}

/// How a volume's intensities are scaled for the network. Where images are turned or deformed, what
/// comes in from outside is 0 (as in SAMed's and H-SAM's code): black, but with [`ZScore`] the mean.
///
/// [`ZScore`]: Intensity::ZScore
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Intensity {
    /// Fixed values, such as Hounsfield units, become 0 and 1; values outside are clipped.
    Window {
        /// Becomes 0.
        low: f32,
        /// Becomes 1.
        high: f32,
    },
    /// Percentiles of each volume become 0 and 1; values outside are clipped.
    Percentile {
        /// Percentile that becomes 0.
        low: f32,
        /// Percentile that becomes 1.
        high: f32,
    },
    /// Mean 0 and (population) standard deviation 1 over each volume, without clipping (UA-MT,
    /// `la_heart_processing.py`, before its crop). Fine-tuned networks see it; teachers and experts are
    /// trained on views with scales of their own.
    ZScore,
}

impl Default for Intensity {
    fn default() -> Self {
        Self::Percentile {
            low: 1.0,
            high: 99.0,
        }
    }
}

/// Axis across the slices of a volume in canonical orientation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Axis {
    /// Across right–left: rows run superior, columns anterior.
    Sagittal,
    /// Across anterior–posterior: rows run superior, columns right.
    Coronal,
    /// Across superior–inferior: rows run anterior, columns left, as in TransUNet's, SAMed's and H-SAM's files of
    /// Synapse.
    #[default]
    Axial,
}

/// SAMed's and TransUNet's preprocessing transposes what nibabel reads of the challenge's volumes.
fn synapse_arrays() -> Arrays {
    Arrays {
        directions: Orientation::LAS,
        ..Arrays::default()
    }
}

fn abdomen_window() -> (f32, f32) {
    (-125.0, 275.0)
}
