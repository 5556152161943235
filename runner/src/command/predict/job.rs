//! What `predict` does with each scan.

use std::path::{Path, PathBuf};

use crate::cli::PredictArgs;
use crate::data::formats::{self, Scan};
use crate::error::{Error, Result};
use crate::outputs::place;
use crate::run_dir::is_own;

/// One scan and what is written of it.
#[derive(Debug)]
pub(super) struct Job {
    /// Name of the scan.
    pub name: String,
    /// Where it is.
    pub scan: Scan,
    /// Its label map.
    pub labels: PathBuf,
    /// The probabilities of each class, if they are asked for.
    pub probabilities: Vec<PathBuf>,
    /// All files that are written.
    pub writes: Vec<PathBuf>,
}

impl Job {
    /// All files of the scan, or its folder.
    pub(super) fn reads(&self) -> Vec<PathBuf> {
        let path = self.scan.path();
        let mut read = vec![path.to_owned()];
        if !path.is_dir() {
            // A scan that cannot be read is found out when its turn comes.
            read.extend(self.scan.files().unwrap_or_default());
        }
        read
    }
}

/// What to do with the scans of `args`, by name.
///
/// # Errors
/// An output of the wrong kind.
pub(super) fn jobs(
    scans: Vec<(String, PathBuf)>,
    args: &PredictArgs,
    (run, input): (Option<&Path>, &Path),
    classes: &[String],
) -> Result<Vec<Job>> {
    for output in [Some(&args.output), args.probabilities.as_ref()]
        .into_iter()
        .flatten()
    {
        let problem = if input.is_dir() && place(input) == place(output) {
            "is the folder that is read; choose another for what is written"
        } else if run.is_some_and(|run| is_own(run, output)) {
            "belongs to the run, which removes it when it starts over; choose another place"
        } else {
            continue;
        };
        return Err(Error::Usage(format!("{}: {problem}", output.display())));
    }
    let several = is_several(args, input);
    let is_folder = is_folder(several, &args.output)?;
    let job = |(name, path): (String, PathBuf)| {
        // Of several scans, only folders can hold several series.
        let series = args.series.as_deref().filter(|_| !several || path.is_dir());
        let scan = formats::scan(&path, series)?;
        let labels = match is_folder {
            true => args.output.join(format!("{name}.nii.gz")),
            false => args.output.clone(),
        };
        let file = |class: &String| format!("{name}_{}.nii.gz", class.replace([' ', '/'], "_"));
        let probabilities = args.probabilities.iter();
        let probabilities: Vec<PathBuf> = probabilities
            .flat_map(|folder| classes.iter().map(|class| folder.join(file(class))))
            .collect();
        let files = formats::label_files(&labels);
        let mut writes = files.map_err(|e| Error::Usage(e.to_string()))?;
        writes.extend(probabilities.clone());
        Ok(Job {
            name,
            scan,
            labels,
            probabilities,
            writes,
        })
    };
    scans.into_iter().map(job).collect()
}

/// Whether the input is a folder of scans. Where that holds DICOM slices beside other scans, a label map as the output
/// or a series means the slices.
pub(super) fn is_several(args: &PredictArgs, input: &Path) -> bool {
    let output = &args.output;
    if !input.is_dir() || formats::is_series(input) {
        return false;
    }
    let is_label_map = !output.is_dir() && formats::label_files(output).is_ok();
    !((is_label_map || args.series.is_some()) && formats::holds_slices(input))
}

/// Whether the output is a folder for label maps, rather than a label map.
fn is_folder(several: bool, output: &Path) -> Result<bool> {
    let refuse = |problem: &str| Err(Error::Usage(format!("{}: {problem}", output.display())));
    let is_named_as_folder = output.as_os_str().to_string_lossy().ends_with(['/', '\\']);
    if !several {
        return Ok(output.is_dir() || is_named_as_folder);
    }
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    if output.is_file() || (!output.is_dir() && formats::stem(&name).is_some()) {
        return refuse("is named as a file; a folder of scans needs a folder for the label maps");
    }
    Ok(true)
}
