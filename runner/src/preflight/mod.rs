//! What can be known of pipelines before their first step: data, weights, shapes and the device's limits.
//! What cannot be meant is a problem, and no run begins with one; what may be meant is a warning.

mod copies;
mod findings;
mod known;
mod limits;
mod sets;
mod stages;
mod weights;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use samora_engine::Device;

use crate::data::dataset::Dataset;
use crate::error::{Error, Result};
use crate::pipeline::Pipeline;
use crate::provenance::{Inputs, inputs};

pub use findings::Findings;
pub use known::Known;
pub use sets::{DataSet, Keeping};

use weights::WeightFiles;

/// Everything that was found of some pipelines.
pub struct Preflight {
    sets: Vec<DataSet>,
    known: Known,
    findings: Findings,
}

impl Preflight {
    /// Reads all data and weights of the pipelines and plans their stages, on `device` with or without fusion,
    /// where one is open.
    pub fn new(
        pipelines: &[Pipeline],
        device: Option<(&Device, bool)>,
        keeping: Keeping<'_>,
    ) -> Self {
        let mut findings = Findings::default();
        let known = match keeping {
            Keeping::Nothing => None,
            Keeping::Cache(folder) => Some(Known::of(folder)),
        };
        let sets = sets::open(pipelines, keeping, known.as_ref());
        known.iter().for_each(Known::save);
        let mut weights = WeightFiles::default();
        for pipeline in pipelines {
            let of = |name: &str| sets::find(&sets, pipeline, name);
            copies::find(pipeline, &of, &mut findings);
            sets::find_unread_channels(pipeline, &mut findings);
            let graphs = stages::examine(pipeline, &of, device.is_some(), &mut findings);
            weights.examine(pipeline, &graphs, &mut findings);
            if let Some(on) = device {
                limits::examine(pipeline, &graphs, on, &mut findings);
            }
        }
        weights.find_unused(&mut findings);
        Self {
            sets,
            known: known.unwrap_or_default(),
            findings,
        }
    }

    /// The data sets in the order of their names, those of several pipelines once.
    pub fn sets(&self) -> &[DataSet] {
        &self.sets
    }

    /// What was found beside that of the single data sets.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// The inputs of every stage of a pipeline by its name.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn inputs(&self, pipeline: &Pipeline) -> Result<BTreeMap<String, Inputs>> {
        let inputs = inputs(pipeline, &self.datasets(pipeline), self.known.hashes());
        self.known.save();
        inputs
    }

    /// Tells the user of problems and warnings.
    pub fn report(&self) {
        for set in &self.sets {
            eprint!("{}", set.findings().shortened());
        }
        eprint!("{}", self.findings.clone().shortened());
    }

    /// Refuses to go on where there are problems.
    ///
    /// # Errors
    /// The number of problems, which [`Preflight::report`] lists.
    pub fn refuse(&self) -> Result<()> {
        let of_sets = self.sets.iter().map(|set| set.findings().problems.len());
        match of_sets.sum::<usize>() + self.findings.problems.len() {
            0 => Ok(()),
            problems => Err(Error::Preflight(problems)),
        }
    }

    /// The data sets of a pipeline by name; those that cannot be opened are missing.
    pub fn datasets(&self, pipeline: &Pipeline) -> BTreeMap<String, Arc<Dataset>> {
        let opened = |name: &String| {
            let set = sets::find(&self.sets, pipeline, name)?;
            Some((name.clone(), Arc::clone(set.data()?)))
        };
        pipeline.data.keys().filter_map(opened).collect()
    }
}

/// Plans the stages of a pipeline whose data and weights do not matter, as for a bench.
///
/// # Errors
/// The number of problems, which are printed.
pub fn stages_on(pipeline: &Pipeline, device: (&Device, bool)) -> Result<()> {
    let mut findings = Findings::default();
    let graphs = stages::graphs(pipeline, &mut findings);
    limits::examine(pipeline, &graphs, device, &mut findings);
    eprint!("{findings}");
    match findings.problems.len() {
        0 => Ok(()),
        problems => Err(Error::Preflight(problems)),
    }
}

/// The folder for what is decoded and learnt of data, beside a run directory.
pub fn cache_beside(root: &Path) -> PathBuf {
    root.with_file_name("cache")
}
