//! What each command takes.

use std::path::{Path, PathBuf};

use clap::Args;
use samora_engine::{Precision, Tune};

use crate::bench::Size;
use crate::data::source::Intensity;
use crate::error::{Error, Result};
use crate::fine_tuned::Published;
use crate::metrics::volume::NSD_MM;
use crate::phantom::{Layout, Options};
use crate::pipeline::{Override, Pipeline, load, load_without_data, variations};
use crate::prompted::{PictureFile, Point, Rectangle, Window, numbers};

/// A pipeline file and changes to it.
#[derive(Debug, Args)]
pub struct PipelineArgs {
    /// Pipeline file (.ron)
    pub file: PathBuf,
    /// Replace a field, such as `stages.finetune.epochs=2`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
}

impl PipelineArgs {
    /// Reads the pipeline.
    ///
    /// # Errors
    /// The first mistake in the file or an override.
    pub fn load(&self) -> Result<Pipeline> {
        Ok(load(&self.file, &self.overrides()?)?)
    }

    /// Reads the pipeline for a use that touches no data.
    ///
    /// # Errors
    /// The first mistake in the file or an override.
    pub fn load_without_data(&self) -> Result<Pipeline> {
        Ok(load_without_data(&self.file, &self.overrides()?)?)
    }

    fn overrides(&self) -> Result<Vec<Override>> {
        overrides(&self.sets)
    }
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What is run.
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// Run directory [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Start over instead of continuing an earlier run in the same directory
    #[arg(long)]
    pub fresh: bool,
    /// Take over what the run in this directory trained in stages that are the same, made from the same data
    #[arg(long, value_name = "DIR")]
    pub reuse: Option<PathBuf>,
    /// Where it is run.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Pipeline files (.ron)
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Replace a field in all of them, such as `stages.finetune.epochs=2`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
    /// Run each with every one of these values of a field, such as `decoder=Sam,HSam`; given several times, with all
    /// combinations
    #[arg(long, value_name = "PATH=VALUE,VALUE")]
    pub vary: Vec<String>,
    /// Runs of each pipeline, with its seed and those that follow
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// Folder of the run directories and the table
    #[arg(long, value_name = "DIR", default_value = "runs/compare")]
    pub out: PathBuf,
    /// Where they are run.
    #[command(flatten)]
    pub device: DeviceArgs,
}

impl CompareArgs {
    /// Reads the pipelines, each in all its variations.
    ///
    /// # Errors
    /// The first mistake in a file, an override or a variation.
    pub fn load(&self) -> Result<Vec<Pipeline>> {
        let sets = overrides(&self.sets)?;
        let arms = variations(&self.vary)?;
        let mut pipelines = Vec::new();
        for file in &self.files {
            for arm in &arms {
                let changes = [sets.as_slice(), &arm.changes].concat();
                let mut pipeline = load(file, &changes)?;
                pipeline.name += &arm.suffix;
                pipelines.push(pipeline);
            }
        }
        Ok(pipelines)
    }
}

/// Choice of the device and of how kernels are made.
#[derive(Debug, Args)]
pub struct DeviceArgs {
    /// Adapter by index or part of its name (see `runner adapters`)
    #[arg(long, value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
    /// One kernel for each operation; same numbers to rounding
    #[arg(long)]
    pub no_fuse: bool,
    /// Kernels that come in several variants on GPUs: by rule (off), as measured earlier (read), or measured now
    /// where they were not (write)
    #[arg(long, value_parser = tune, default_value = "read")]
    pub tune: Tune,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What is planned.
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// List what each stage keeps at the kernel at which it keeps most
    #[arg(long)]
    pub peak: bool,
    /// Write the schedule and the WGSL modules of every stage into this folder, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub emit: Option<PathBuf>,
    /// Write into a folder that is not empty, over files of the same names
    #[arg(long, requires = "emit")]
    pub overwrite: bool,
    /// One kernel for each operation
    #[arg(long)]
    pub no_fuse: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Pipeline file (.ron), every stage of which is timed, or a workload of fixed size: vit_b_lora,
    /// sam_vit_b_samed, samora_stage2, samora_stage1, hsam, sam2, predict or scaling
    #[arg(value_name = "FILE|WORKLOAD")]
    pub what: String,
    /// Replace a field of the pipeline, such as `stages.finetune.batch=2`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
    /// How large a workload is [default: small on processors, else full]
    #[arg(long, value_enum)]
    pub size: Option<Size>,
    /// How a workload computes large matrix products [default: exact]; pipelines say so themselves
    #[arg(long, value_parser = precision)]
    pub precision: Option<Precision>,
    /// Steps timed, after some to warm up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: u64,
    /// Also time each kernel by the device's clock and list the most expensive kernels and scopes
    #[arg(long)]
    pub profile: bool,
    /// Also write the kernels of a step as a trace for Perfetto or Chrome, one file a step, into this folder, which
    /// must be new or empty
    #[arg(long, value_name = "DIR")]
    pub trace: Option<PathBuf>,
    /// Write into a folder that is not empty, over files of the same names
    #[arg(long, requires = "trace")]
    pub overwrite: bool,
    /// Where it is run.
    #[command(flatten)]
    pub device: DeviceArgs,
}

impl BenchArgs {
    /// The changes to the pipeline.
    ///
    /// # Errors
    /// One that is not `path=value`.
    pub fn overrides(&self) -> Result<Vec<Override>> {
        overrides(&self.sets)
    }
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// Run directory, unless --weights are given; then the volume to segment, in any format (.nii.gz, .nrrd, .mha, a
    /// folder of DICOM slices, …), or a folder of volumes
    #[arg(num_args = 1..=2, required = true, value_names = ["RUN", "INPUT"])]
    pub paths: Vec<PathBuf>,
    /// Instead of a run: SAM's published weights, and again for what SAMed, H-SAM or SAMora trained on them
    #[arg(long, value_name = "FILE")]
    pub weights: Vec<PathBuf>,
    /// Of --weights: the encoder, as of `segment` [default: the one the weights are of]
    #[arg(long, value_name = "NAME|RON", requires = "weights")]
    pub model: Option<String>,
    /// Of --weights: height and width of the images that they were trained on
    #[arg(long, value_name = "PIXELS", requires = "weights")]
    pub size: Option<usize>,
    /// What else these weights do not say.
    #[command(flatten)]
    pub training: TrainingArgs,
    /// Of --weights: intensities that became 0 to 1 in training, such as 75,400 for Synapse
    #[arg(
        long,
        value_name = "CENTRE,WIDTH",
        allow_hyphen_values = true,
        requires = "weights"
    )]
    pub window: Option<Window>,
    /// Of --weights: percentiles of each volume that became 0 and 1 in training
    #[arg(long, value_name = "LOW,HIGH", value_parser = percentiles, requires = "weights", conflicts_with = "window")]
    pub percentiles: Option<Intensity>,
    /// Label volume to write, in the grid of the input (.nii.gz, .nii, .nrrd, .mha, .mhd), or a folder for it; of a
    /// folder the folder of label volumes, in which those of an earlier, interrupted command are kept
    #[arg(short, long)]
    pub output: PathBuf,
    /// Of several series in a folder of DICOM slices: its number or UID
    #[arg(long, value_name = "NUMBER|UID")]
    pub series: Option<String>,
    /// Folder for the probability of each class, INPUT_CLASS.nii.gz with values 0 to 1 in steps of 1/255
    #[arg(long, value_name = "DIR")]
    pub probabilities: Option<PathBuf>,
    /// Write over label volumes of other runs, or of scans that have changed
    #[arg(long)]
    pub overwrite: bool,
    /// Where it is run.
    #[command(flatten)]
    pub device: DeviceArgs,
}

impl PredictArgs {
    /// The run directory, without which there are weights, and the input.
    ///
    /// # Errors
    /// One path too many or too few.
    pub fn run_and_input(&self) -> Result<(Option<&Path>, &Path)> {
        match (self.paths.as_slice(), self.weights.is_empty()) {
            ([run, input], true) => Ok((Some(run), input)),
            ([input], false) => Ok((None, input)),
            ([input], true) => Err(Error::Usage(format!(
                "{} is the only path: give a run directory before it, or --weights",
                input.display()
            ))),
            ([run, ..], _) => Err(Error::Usage(format!(
                "{}: give a run directory or --weights, not both",
                run.display()
            ))),
            ([], _) => Err(Error::Usage("give what to segment".into())),
        }
    }

    /// The published network that `weights` and what goes with them name.
    pub fn published(&self) -> Published {
        let window = self.window.map(Window::intensity);
        Published {
            weights: self.weights.clone(),
            model: self.model.clone(),
            size_px: self.size,
            intensity: window.or(self.percentiles),
            ..self.training.published()
        }
    }
}

/// What published weights that segment classes do not say.
#[derive(Debug, Args)]
pub struct TrainingArgs {
    /// Of weights that segment classes: a pipeline with their image size, classes and intensities
    #[arg(long, value_name = "FILE", requires = "weights")]
    pub pipeline: Option<PathBuf>,
    /// Names of the classes of the weights, from 1 [default: class 1, class 2, …]
    #[arg(
        long,
        value_name = "NAME,NAME,…",
        value_delimiter = ',',
        requires = "weights"
    )]
    pub classes: Vec<String>,
}

impl TrainingArgs {
    /// A published network of which only this is known.
    pub fn published(&self) -> Published {
        Published {
            pipeline: self.pipeline.clone(),
            classes: self.classes.clone(),
            ..Published::default()
        }
    }
}

/// Arguments of `eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Predicted labels: a file in any format, or a folder of them
    #[arg(value_name = "PRED")]
    pub prediction: PathBuf,
    /// True labels: a file, or a folder of files with the same names
    #[arg(value_name = "REF")]
    pub reference: PathBuf,
    /// Of several series in a folder of DICOM slices: its number or UID
    #[arg(long, value_name = "NUMBER|UID")]
    pub series: Option<String>,
    /// Names of the labels 1, 2, … [default: the labels that occur, by number]
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',')]
    pub classes: Vec<String>,
    /// Millimetres within which surfaces agree, for the normalised surface distance
    #[arg(long, value_name = "T", default_value_t = NSD_MM, value_parser = millimetres, allow_hyphen_values = true)]
    pub nsd_mm: f64,
    /// Folder for summary.json and summary.csv
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write over a summary that is there
    #[arg(long, requires = "out")]
    pub overwrite: bool,
}

/// A network and an image for it.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// Weights of a SAM (PyTorch or safetensors; see `runner inspect`); of several files each adds to those before it
    #[arg(long, value_name = "FILE", required = true)]
    pub weights: Vec<PathBuf>,
    /// sam_vit_b, sam_vit_l, sam_vit_h, mobile_sam, lite_medsam, sam2_hiera_tiny, …_small, …_base_plus, …_large, or
    /// an encoder as pipelines describe it, in a .ron file or written out; TinyVit with a Pointwise stem takes images
    /// as lite_medsam, Sam2 as SAM 2, all others as SAM [default: the one the weights are of]
    #[arg(long, value_name = "NAME|RON")]
    pub model: Option<String>,
    /// Height and width of the network's input, such as 512 for MedSAM2 [default: as the model was published, 256 for
    /// lite_medsam, else 1024]
    #[arg(long, value_name = "PIXELS")]
    pub size: Option<usize>,
    /// A picture, or an axial slice of a volume in any format as FILE:SLICE. Slices count from 0 at the feet
    /// [default: the middle one]; the front is up and the patient's left on the left (np.rot90 of the
    /// slice in RAS+). Their intensities are taken from the slice's least to its greatest
    #[arg(long, value_name = "FILE")]
    pub image: PictureFile,
    /// Of a volume: intensities taken instead, such as 40,400 for the abdomen in CT
    #[arg(long, value_name = "CENTRE,WIDTH", allow_hyphen_values = true)]
    pub window: Option<Window>,
    /// Of several series in a folder of DICOM slices: its number or UID
    #[arg(long, value_name = "NUMBER|UID")]
    pub series: Option<String>,
    /// Where it is run.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// Arguments of `segment`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("prompt").multiple(true))]
pub struct SegmentArgs {
    /// Network and image; with a prompt the image may also be a .npy file of 1×3×size×size f32, which is taken as the
    /// encoder's input without any preparation, prompts and mask being in its pixels.
    #[command(flatten)]
    pub model: ModelArgs,
    /// What encloses the object, in pixels from the image's upper left corner; the edges of the image
    /// are 0, its width and its height
    #[arg(
        long = "box",
        value_name = "X0,Y0,X1,Y1",
        group = "prompt",
        allow_hyphen_values = true
    )]
    pub rectangle: Option<Rectangle>,
    /// A point on the object (label 1) or beside it (label 0); may be given several times. A single point
    /// and nothing else gets the best of three masks, if the model has them
    #[arg(
        long = "point",
        value_name = "X,Y,LABEL",
        group = "prompt",
        allow_hyphen_values = true
    )]
    pub points: Vec<Point>,
    /// What weights that segment classes do not say; they take no prompt.
    #[command(flatten)]
    pub training: TrainingArgs,
    /// Mask to write (.png), in the image's size: 255 on the object, else 0; without a prompt the number of each
    /// pixel's class. Weights that segment classes see a picture as it is, and a slice as `predict` shows it
    #[arg(short, long)]
    pub output: PathBuf,
    /// Also write the logits of all masks (.npy) before they are resized, masks×rows×columns f32; above 0 is the
    /// object
    #[arg(long, value_name = "FILE")]
    pub logits: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    pub overwrite: bool,
}

/// Arguments of `embed`.
#[derive(Debug, Args)]
pub struct EmbedArgs {
    /// Network and image; the image may also be a .npy file of 1×3×size×size f32, which is taken as the
    /// encoder's input without any preparation.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Features to write, f32: the neck's output, 1×channels×rows×columns (.npy), or all that the mask decoder sees,
    /// by name (.safetensors)
    #[arg(short, long)]
    pub output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub overwrite: bool,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Weight file
    pub file: PathBuf,
}

/// Arguments of `convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Files to read, and last the one to write (.safetensors, or .pth for PyTorch)
    #[arg(num_args = 2.., required = true, value_names = ["IN", "OUT"])]
    pub files: Vec<PathBuf>,
    /// Whose names the tensors get; without it they keep theirs
    #[arg(long, value_enum)]
    pub to: Option<Target>,
    /// Of H-SAM's file: height and width of the images, 224 or 512
    #[arg(long, value_name = "PIXELS", requires = "to")]
    pub size: Option<usize>,
    /// Write over a file that is there
    #[arg(long)]
    pub overwrite: bool,
}

/// Whose names converted tensors get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// SAMed's file: one LoRA as w_a_000, w_b_000, …, and the mask decoder
    SamedLora,
    /// H-SAM's file: one LoRA, both mask decoders, and all else that its loader asks for
    Hsam,
    /// SAMora's payload: experts, HL-Attn and mask decoder
    Samora,
}

/// Arguments of `phantom`.
#[derive(Debug, Args)]
pub struct PhantomArgs {
    /// Layout of the files
    #[arg(long, value_enum, default_value = "synapse")]
    pub layout: Layout,
    /// Number of cases
    #[arg(long, default_value_t = 30)]
    pub cases: usize,
    /// Seed of the anatomy
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Voxels right, anterior and superior; more voxels are finer voxels of the same body
    #[arg(long, value_delimiter = ',', default_values_t = Options::SMALL)]
    pub shape: Vec<usize>,
    /// Folder to write into, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

fn overrides(sets: &[String]) -> Result<Vec<Override>> {
    let parsed = sets.iter().map(|set| Override::parse(set));
    Ok(parsed.collect::<Result<_, _>>()?)
}

fn percentiles(text: &str) -> std::result::Result<Intensity, String> {
    let [low, high] = numbers(text)?;
    match 0.0 <= low && low < high && high <= 100.0 {
        true => Ok(Intensity::Percentile { low, high }),
        false => Err("percentiles lie in 0 to 100, the lower one first".into()),
    }
}

fn tune(text: &str) -> std::result::Result<Tune, String> {
    match text {
        "off" => Ok(Tune::Off),
        "read" => Ok(Tune::Read),
        "write" => Ok(Tune::Write),
        _ => Err("must be off, read or write".into()),
    }
}

fn precision(text: &str) -> std::result::Result<Precision, String> {
    match text {
        "exact" => Ok(Precision::Exact),
        "half" => Ok(Precision::Half),
        "split" => Ok(Precision::Split),
        _ => Err("must be exact, half or split".into()),
    }
}

fn millimetres(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(length) if (0.0..f64::INFINITY).contains(&length) => Ok(length),
        _ => Err("is no length in millimetres, such as 2 or 0.5".into()),
    }
}
