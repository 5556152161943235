//! Runs SAMora pipelines: from one declarative file through data, stages and metrics to a run
//! directory with a report.

pub mod bench;
pub mod cli;
pub mod command;
pub mod data;
pub mod error;
pub mod file_hash;
pub mod fine_tuned;
pub mod interrupt;
pub mod journal;
mod json_lines;
pub mod metrics;
mod outputs;
pub mod phantom;
pub mod pipeline;
pub mod preflight;
pub mod prompted;
pub mod provenance;
pub mod run_dir;
pub mod splits;
pub mod stage;
mod text_file;
mod whole_file;
