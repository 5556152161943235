//! The command line. Results go to standard output, everything else to standard error.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::command;
use crate::error::{Error, Result};
use crate::phantom::{Layout, Options};
use crate::pipeline::{Override, Pipeline, load};

/// Trains and evaluates medical image segmentation with hierarchical self-supervision (SAMora), on
/// any GPU, as one RON file describes it.
#[derive(Debug, Parser)]
#[command(name = "runner", version, subcommand_required = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a pipeline; an interrupted run goes on where it stopped. `runner FILE` is short for this
    Run(RunArgs),
    /// Check a pipeline and its data: every volume is read
    Check(PipelineArgs),
    /// Show what a run would train, compute and write; needs neither GPU nor data
    Plan(PlanArgs),
    /// Segment a volume with a finished run
    Predict(PredictArgs),
    /// List the GPU adapters of this machine
    Adapters,
    /// Time one step of every stage on random inputs
    Bench(BenchArgs),
    /// Write phantom abdominal CT volumes with labels
    Phantom(PhantomArgs),
}

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
        let overrides: Result<Vec<Override>, _> =
            self.sets.iter().map(|set| Override::parse(set)).collect();
        Ok(load(&self.file, &overrides?)?)
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
    /// Where it is run.
    #[command(flatten)]
    pub device: DeviceArgs,
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
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What is planned.
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// Write the WGSL modules of every stage into this folder
    #[arg(long, value_name = "DIR")]
    pub emit: Option<PathBuf>,
    /// One kernel for each operation
    #[arg(long)]
    pub no_fuse: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What is timed.
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// Steps timed for each stage, after two to warm up
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Also time each kernel by itself and list the most expensive
    #[arg(long)]
    pub kernels: bool,
    /// Where it is run.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// Run directory
    pub run: PathBuf,
    /// Volume to segment (.nii or .nii.gz)
    pub input: PathBuf,
    /// Label volume to write, in the grid of the input (.nii or .nii.gz)
    #[arg(short, long)]
    pub output: PathBuf,
    /// Where it is run.
    #[command(flatten)]
    pub device: DeviceArgs,
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
    /// Folder to write into
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Parses the process's arguments, does what they ask, and returns the exit code: 0, 1 on failure,
/// 2 on wrong usage or configuration, 130 when interrupted with the state saved.
pub fn main() -> u8 {
    let cli = match Cli::try_parse_from(spelled_out(std::env::args_os())) {
        Ok(cli) => cli,
        Err(e) => {
            // Nothing is left to do if the message itself cannot be printed.
            e.print().ok();
            return u8::try_from(e.exit_code()).unwrap_or(2);
        }
    };
    match execute(cli) {
        Ok(()) => 0,
        Err(error) => {
            report(&error);
            error.exit_code()
        }
    }
}

/// `runner FILE …` as `runner run FILE …`.
fn spelled_out(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    let command = Cli::command();
    let is_file = |arg: &OsString| {
        let known = arg == "help" || command.find_subcommand(arg).is_some();
        !known && !arg.to_string_lossy().starts_with('-')
    };
    if args.get(1).is_some_and(is_file) {
        args.insert(1, "run".into());
    }
    args
}

fn execute(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Run(args) => command::run(&args),
        Command::Check(args) => command::check(&args),
        Command::Plan(args) => command::plan(&args),
        Command::Predict(args) => command::predict(&args),
        Command::Adapters => command::adapters(),
        Command::Bench(args) => command::bench(&args),
        Command::Phantom(args) => command::phantom(&args),
    }
}

fn report(error: &Error) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let label = match (error, colour) {
        (Error::Interrupted, _) => "",
        (_, true) => "\u{1b}[1;31merror:\u{1b}[0m ",
        (_, false) => "error: ",
    };
    eprintln!("{label}{error}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_file_alone_means_run() {
        let parse = |args: &[&str]| {
            let args = [&["runner"], args].concat().into_iter().map(OsString::from);
            Cli::try_parse_from(spelled_out(args)).map(|cli| cli.command)
        };
        let is_run = |args: &[&str]| matches!(parse(args), Ok(Command::Run(r)) if r.pipeline.file == Path::new("demo.ron"));
        assert!(is_run(&["demo.ron"]));
        assert!(is_run(&["demo.ron", "--set", "seed=2", "--fresh"]));
        assert!(is_run(&["run", "demo.ron", "--out", "x"]));
        assert!(matches!(parse(&["plan", "demo.ron"]), Ok(Command::Plan(_))));
        assert!(parse(&["predict", "runs/demo", "in.nii.gz"]).is_err());
        assert!(parse(&[]).is_err());
    }
}
