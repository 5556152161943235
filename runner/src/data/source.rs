//! Dataset declarations as a pipeline file writes them.

use super::formats::{ArrayAxes, Arrays};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where a dataset lies, how its intensities are scaled and how its cases are divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Source {
    /// Synapse multi-atlas abdomen: `img/imgNNNN.nii.gz` with `label/labelNNNN.nii.gz` holding the
    /// 13 original labels, of which eight are kept in SAMed's order.
    Synapse {
        /// Folder that holds `img` and `label`.
        root: PathBuf,
        /// Training and test cases.
        #[serde(default = "Split::synapse")]
        split: Split,
        /// Which training slices keep their labels.
        #[serde(default)]
        labelled: Labelled,
        /// Hounsfield units that become 0 and 1.
        #[serde(default = "abdomen_window")]
        window_hu: (f32, f32),
        /// Where `root` does not exist, writes this many phantom cases into it.
        #[serde(default)]
        phantoms: Option<usize>,
    },
    /// Folders of `.nii` or `.nii.gz` images and labels paired by file name.
    Folder {
        /// Folder of images.
        images: PathBuf,
        /// Folder of labels; without it no case has labels.
        #[serde(default)]
        labels: Option<PathBuf>,
        /// Names of label values 1, 2, ….
        classes: Vec<String>,
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
    },
    /// Left atrium (LA 2018) in UA-MT's layout: `NAME/mri_norm2.h5` or `NAME.h5`, where the name
    /// may start with `train_` or `test_`.
    LaH5 {
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
}

impl Source {
    /// Names of the foreground classes; class `i + 1` of a label map is entry `i`.
    pub fn classes(&self) -> Vec<String> {
        match self {
            Self::Synapse { .. } => SYNAPSE_CLASSES.map(str::to_owned).to_vec(),
            Self::Folder { classes, .. } => classes.clone(),
            Self::LaH5 { .. } => vec!["left atrium".to_owned()],
        }
    }

    /// The folder that identifies the dataset in messages.
    pub fn root(&self) -> &Path {
        match self {
            Self::Synapse { root, .. } | Self::LaH5 { root, .. } => root,
            Self::Folder { images, .. } => images,
        }
    }

    /// Training and test cases.
    pub fn split(&self) -> &Split {
        match self {
            Self::Synapse { split, .. } | Self::Folder { split, .. } | Self::LaH5 { split, .. } => {
                split
            }
        }
    }

    /// Which training slices keep their labels.
    pub fn labelled(&self) -> &Labelled {
        match self {
            Self::Synapse { labelled, .. }
            | Self::Folder { labelled, .. }
            | Self::LaH5 { labelled, .. } => labelled,
        }
    }

    /// How intensities are scaled.
    pub fn intensity(&self) -> Intensity {
        match self {
            Self::Synapse { window_hu, .. } => Intensity::Window {
                low: window_hu.0,
                high: window_hu.1,
            },
            Self::Folder { intensity, .. } | Self::LaH5 { intensity, .. } => *intensity,
        }
    }

    /// How arrays of files without geometry lie.
    pub fn arrays(&self) -> Arrays {
        match self {
            // UA-MT's files keep the axes of the challenge's volumes, and its cubic voxels.
            Self::LaH5 { .. } => Arrays {
                axes: ArrayAxes::Xyz,
                spacing_mm: [0.625; 3],
            },
            Self::Synapse { .. } | Self::Folder { .. } => Arrays::default(),
        }
    }

    /// Axis across the slices.
    pub fn slice_axis(&self) -> Axis {
        match self {
            Self::Folder { slices, .. } => *slices,
            Self::Synapse { .. } | Self::LaH5 { .. } => Axis::Axial,
        }
    }
}

/// The Synapse organs in SAMed's order.
pub const SYNAPSE_CLASSES: [&str; 8] = [
    "spleen",
    "right kidney",
    "left kidney",
    "gallbladder",
    "liver",
    "stomach",
    "aorta",
    "pancreas",
];

/// Class of each of the 14 original Synapse label values (SAMed, preprocess_data.py): oesophagus,
/// inferior vena cava, portal and splenic veins and adrenal glands become background.
pub const SYNAPSE_LABEL_MAP: [u8; 14] = [0, 1, 2, 3, 4, 0, 5, 6, 7, 0, 0, 8, 0, 0];

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
    /// Across superior–inferior: rows run anterior, columns right.
    #[default]
    Axial,
}

fn abdomen_window() -> (f32, f32) {
    (-125.0, 275.0)
}
