//! The command line. Results go to standard output, everything else to standard error.

mod arguments;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;

use clap::{Parser, Subcommand};

pub use arguments::{
    BenchArgs, CompareArgs, ConvertArgs, DeviceArgs, EmbedArgs, EvalArgs, InspectArgs, ModelArgs,
    PhantomArgs, PipelineArgs, PlanArgs, PredictArgs, RunArgs, SegmentArgs, Target,
};

use crate::command;
use crate::error::{Error, Result};

/// Trains and evaluates medical image segmentation with hierarchical self-supervision (SAMora), on
/// any GPU, as one RON file describes it.
#[derive(Debug, Parser)]
#[command(name = "runner", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a pipeline; an interrupted run goes on where it stopped. `runner FILE` is short for this
    Run(RunArgs),
    /// Run several pipelines with several seeds and print their results as a table
    Compare(CompareArgs),
    /// Check a pipeline and its data: every volume is read
    Check(PipelineArgs),
    /// Show what a run would train, compute and write; needs neither GPU nor data
    Plan(PlanArgs),
    /// Segment volumes with a finished run
    Predict(PredictArgs),
    /// Score label files against others: overlap and surface distances, per class and case
    Eval(EvalArgs),
    /// Segment one object of an image with SAM, from a box or points
    Segment(SegmentArgs),
    /// Write the features that SAM's image encoder makes of an image
    Embed(EmbedArgs),
    /// Show the tensors of a weight file (safetensors or PyTorch) and which network it is of
    Inspect(InspectArgs),
    /// Write weights in another format, or with the names that SAMed's or SAMora's users know
    Convert(ConvertArgs),
    /// List the GPU adapters of this machine
    Adapters,
    /// Time one step of every stage, or a fixed workload, on random inputs
    Bench(BenchArgs),
    /// Write phantom abdominal CT volumes with labels
    Phantom(PhantomArgs),
}

/// Parses the process's arguments, does what they ask, and returns the exit code: 0, 1 on failure,
/// 2 on wrong usage or configuration, 130 when interrupted with the state saved.
pub fn main() -> u8 {
    let cli = match Cli::try_parse_from(with_run(std::env::args_os())) {
        Ok(cli) => cli,
        Err(e) => {
            // Nothing is left to do if the message itself cannot be printed.
            e.print().ok();
            return u8::try_from(e.exit_code()).unwrap_or(2);
        }
    };
    match execute(&cli.command) {
        Ok(()) => 0,
        Err(error) => {
            report(&error);
            error.exit_code()
        }
    }
}

/// Puts `run` before a pipeline file that stands first.
fn with_run(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    let is_pipeline = |first: &OsString| Path::new(first).extension().is_some_and(|e| e == "ron");
    if arguments.get(1).is_some_and(is_pipeline) {
        arguments.insert(1, "run".into());
    }
    arguments
}

fn execute(command: &Command) -> Result<()> {
    match command {
        Command::Run(args) => command::run(args),
        Command::Compare(args) => command::compare(args),
        Command::Check(args) => command::check(args),
        Command::Plan(args) => command::plan(args),
        Command::Predict(args) => command::predict(args),
        Command::Eval(args) => command::eval(args),
        Command::Segment(args) => command::segment(args),
        Command::Embed(args) => command::embed(args),
        Command::Inspect(args) => command::inspect(args),
        Command::Convert(args) => command::convert(args),
        Command::Adapters => command::adapters(),
        Command::Bench(args) => command::bench(args),
        Command::Phantom(args) => command::phantom(args),
    }
}

fn report(error: &Error) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let label = match (error, colour) {
        (Error::Interrupted | Error::PredictInterrupted { .. }, _) => "",
        (_, true) => "\u{1b}[1;31merror:\u{1b}[0m ",
        (_, false) => "error: ",
    };
    eprintln!("{label}{error}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_file_alone_means_run() {
        let parse = |arguments: &[&str]| {
            let arguments = [&["runner"], arguments].concat();
            Cli::try_parse_from(with_run(arguments.into_iter().map(OsString::from)))
        };
        for arguments in [&["demo.ron"][..], &["run", "demo.ron"]] {
            let cli = parse(&[arguments, &["--set", "seed=2"]].concat());
            let is_run = |r: &RunArgs| r.pipeline.sets == ["seed=2"] && !r.fresh;
            assert!(matches!(cli.map(|c| c.command), Ok(Command::Run(r)) if is_run(&r)));
        }
        assert!(parse(&["predict", "runs/demo", "in.nii.gz"]).is_err());
        assert!(parse(&["chek", "demo.ron"]).is_err());
    }
}
