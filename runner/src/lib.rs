//! Runs SAMora pipelines: from one declarative file through data, stages and metrics to a run
//! directory with a report.

pub mod data;
pub mod metrics;
pub mod pipeline;
