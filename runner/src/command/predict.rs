//! `runner predict`: segments volumes with a finished run, or with published weights.

mod job;
mod record;
mod tally;

use std::path::{Path, PathBuf};

use super::{expect_there, open_device};
use crate::cli::PredictArgs;
use crate::data::decode;
use crate::data::formats;
use crate::data::layout::{scan_name, scans_in};
use crate::data::source::Source;
use crate::error::{Error, Result};
use crate::fine_tuned::FineTuned;
use crate::interrupt;
use crate::journal::Progress;
use crate::outputs;
use crate::stage::{Segmenter, network_sha256};
use job::{Job, is_several, jobs};
use record::Record;
use tally::Tally;

/// Writes a label volume in the grid, orientation and affine of each input. One volume is in memory at a
/// time; of several one that cannot be used is reported, and the others are segmented all the same. In a
/// folder, label maps that this run has made of these scans are kept.
///
/// # Errors
/// A run that is not finished, no or unreadable volumes, an output that is read, exists or cannot be written,
/// a device that fails, or the user interrupts.
pub fn predict(args: &PredictArgs) -> Result<()> {
    let (run, input) = args.run_and_input()?;
    let network = match run {
        Some(run) => FineTuned::of_run(run)?,
        None => FineTuned::published(&args.published())?,
    };
    let files = &network.files;
    expect_there(input)?;
    let volumes = volumes(args, input, &network.source)?;
    let jobs = jobs(volumes, args, (run, input), &network.classes)?;
    let mut record = Record::open(is_several(args, input), &args.output)?;

    let reads = jobs.iter().flat_map(Job::reads);
    let reads: Vec<PathBuf> = reads.chain(files.iter().cloned()).collect();
    let may_exist = args.overwrite || !record.is_empty();
    outputs::prepare(&reads, &writes(&jobs), may_exist)?;
    if record.is_kept() {
        record.network(network_sha256(&network.pipeline, files)?);
    }
    let mut tally = Tally::new(&network.classes);
    let all = jobs.len();
    let left: Vec<Job> = jobs
        .into_iter()
        .filter(|job| match record.found(job) {
            Some(found) => {
                tally.count(&found);
                false
            }
            None => true,
        })
        .collect();
    outputs::prepare(&reads, &writes(&left), args.overwrite)?;
    if left.len() < all {
        let kept = all - left.len();
        eprintln!(
            "{kept} of {all} volumes were segmented earlier, by this run and as they are now"
        );
    }
    let failed = match left.is_empty() {
        true => 0,
        false => segment_all(&left, args, &network, (&mut record, &mut tally))?,
    };
    for warning in tally.warnings() {
        eprintln!("warning: {warning}");
    }
    let legend = (1..)
        .zip(&network.classes)
        .map(|(value, name)| format!("{value} {name}"));
    eprintln!("labels: {}", legend.collect::<Vec<_>>().join(", "));
    match failed {
        0 => Ok(()),
        _ => Err(Error::Volumes { failed, all }),
    }
}

/// The scans to segment by name: of a folder of them all, as `source` names them.
fn volumes(args: &PredictArgs, input: &Path, source: &Source) -> Result<Vec<(String, PathBuf)>> {
    if is_several(args, input) {
        return Ok(scans_in(input, source)?.into_iter().collect());
    }
    let name = scan_name(input, source).unwrap_or_default();
    Ok(vec![(name, input.to_owned())])
}

fn writes(jobs: &[Job]) -> Vec<PathBuf> {
    jobs.iter().flat_map(|job| job.writes.clone()).collect()
}

/// Does the jobs and returns how many of them failed.
fn segment_all(
    jobs: &[Job],
    args: &PredictArgs,
    network: &FineTuned,
    (record, tally): (&mut Record, &mut Tally),
) -> Result<usize> {
    interrupt::listen("stopping; label maps that are finished are kept")?;
    let device = open_device(&args.device, network.pipeline.precision)?;
    let mut segmenter = network.segmenter(&device, !args.device.no_fuse)?;
    let kept = tally.volumes();
    let all = kept + jobs.len();
    let progress = Progress::through("predict", all, kept, "volumes");
    let mut failed = 0;
    for job in jobs {
        // Before it is read: a scan that changes meanwhile is then another one.
        let scan = record::scan_sha256(job);
        match segment(job, network, &mut segmenter) {
            Ok(found) => {
                if let Some(warning) = tally.warning(&found) {
                    progress.line(&format!("warning: {}: {warning}", job.name));
                }
                tally.count(&found);
                record.add(job, scan, found)?;
            }
            Err(Error::Interrupted) => {
                progress.finish();
                let finished = tally.volumes();
                return Err(Error::PredictInterrupted { finished, all });
            }
            // The fault is that volume's: the others can be segmented all the same.
            Err(Error::Data(error)) if all > 1 => {
                progress.line(&format!("error: {error}"));
                failed += 1;
            }
            Err(error) => return Err(error),
        }
        progress.step(None);
    }
    progress.finish();
    Ok(failed)
}

/// Segments a scan, writes what is asked for, and returns the classes that were found.
fn segment(job: &Job, network: &FineTuned, segmenter: &mut Segmenter<'_>) -> Result<Vec<String>> {
    let classes = &network.classes;
    let image = decode::scan(&job.scan, &network.source)?;
    let labels = if job.probabilities.is_empty() {
        segmenter.segment(&image)?
    } else {
        let (labels, volumes) = segmenter.probabilities(&image, classes.len())?;
        for (path, volume) in job.probabilities.iter().zip(&volumes) {
            formats::write_probabilities_like(job.scan.path(), volume, path)?;
        }
        labels
    };
    formats::write_labels_like(job.scan.path(), &labels, &job.labels)?;
    let found = (1..)
        .zip(classes)
        .filter(|(value, _)| labels.voxels.contains(value));
    Ok(found.map(|(_, name)| name.clone()).collect())
}
