//! Data sets, opened and read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::{Findings, Known};
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::layout::channel_names;
use crate::data::memory;
use crate::data::source::Source;
use crate::data::survey::{Survey, read, survey_by};
use crate::journal::Progress;
use crate::pipeline::Pipeline;

/// What of decoded data stays for the stages.
#[derive(Clone, Copy, Debug)]
pub enum Keeping<'a> {
    /// Nothing.
    Nothing,
    /// As much as [`memory::for_volumes`] allows; slices of larger data sets go to files in this folder.
    Cache(&'a Path),
}

/// A data set of one or several pipelines.
pub struct DataSet {
    /// Its name in the first of them.
    pub name: String,
    source: Source,
    opened: Result<(Arc<Dataset>, Survey), DataError>,
}

impl DataSet {
    /// The data set, if it could be opened.
    pub fn data(&self) -> Option<&Arc<Dataset>> {
        self.opened.as_ref().ok().map(|(data, _)| data)
    }

    /// What it holds, if it could be opened.
    pub fn survey(&self) -> Option<&Survey> {
        self.opened.as_ref().ok().map(|(_, survey)| survey)
    }

    /// What was found of it, each line with its name.
    pub fn findings(&self) -> Findings {
        let named = |text: &String| format!("{}: {text}", self.name);
        match &self.opened {
            Ok((_, survey)) => Findings {
                problems: survey.problems().map(|text| named(&text)).collect(),
                warnings: survey.warnings.iter().map(named).collect(),
            },
            Err(error) => Findings {
                problems: vec![match self.source.missing(&self.name) {
                    Some(path) => path,
                    None => named(&error.to_string()),
                }],
                warnings: Vec::new(),
            },
        }
    }
}

/// Opens and reads the data sets of the pipelines, equal ones once.
pub(super) fn open(
    pipelines: &[Pipeline],
    keeping: Keeping<'_>,
    known: Option<&Known>,
) -> Vec<DataSet> {
    let mut distinct: Vec<(&String, &Source)> = Vec::new();
    for (name, source) in pipelines.iter().flat_map(|p| &p.data) {
        if !distinct.iter().any(|(_, other)| *other == source) {
            distinct.push((name, source));
        }
    }
    let memory = match keeping {
        Keeping::Nothing => 0,
        Keeping::Cache(_) => memory::for_volumes() / distinct.len().max(1),
    };
    let open = |(name, source): (&String, &Source)| DataSet {
        opened: open_one(name, source, (memory, keeping), known),
        name: name.clone(),
        source: source.clone(),
    };
    distinct.into_iter().map(open).collect()
}

/// The data set that a pipeline calls `name`.
pub(super) fn find<'a>(
    sets: &'a [DataSet],
    pipeline: &Pipeline,
    name: &str,
) -> Option<&'a DataSet> {
    let source = pipeline.data.get(name)?;
    sets.iter().find(|set| set.source == *source)
}

/// Warns of channels of nnU-Net's images that no data set of the pipeline reads.
pub(super) fn find_unread_channels(pipeline: &Pipeline, findings: &mut Findings) {
    let mut read: BTreeMap<&Path, (&String, BTreeSet<usize>)> = BTreeMap::new();
    for (name, source) in &pipeline.data {
        if let Source::NnUnet { root, channel, .. } = source {
            let of_root = read.entry(root).or_insert((name, BTreeSet::new()));
            of_root.1.insert(*channel);
        }
    }
    for (root, (name, channels)) in read {
        let all = channel_names(root).into_iter().enumerate();
        let unread = all.filter(|(number, _)| !channels.contains(number));
        let unread: Vec<String> = unread
            .map(|(n, called)| format!("{n} ({called})"))
            .collect();
        if !unread.is_empty() {
            findings.warning(format!(
                "{name}: no data set reads channel {}; networks see one channel, that of `channel`",
                unread.join(", ")
            ));
        }
    }
}

fn open_one(
    name: &str,
    source: &Source,
    (memory, keeping): (usize, Keeping<'_>),
    known: Option<&Known>,
) -> Result<(Arc<Dataset>, Survey), DataError> {
    let mut data = Dataset::open(source, memory)?;
    if let Keeping::Cache(folder) = keeping {
        data = data.with_disk_cache(folder);
    }
    if let Some(folder) = data.disk_cache() {
        let gigabytes = |bytes: usize| bytes as f64 / 1e9;
        eprintln!(
            "{name}: {:.1} GB of decoded training volumes do not fit into {:.1} GB of memory; \
             their slices go to {}",
            gigabytes(data.decoded_bytes()),
            gigabytes(memory),
            folder.display()
        );
    }
    let progress = Progress::through(&format!("reading {name}"), data.cases().len(), 0, "cases");
    let survey = survey_by(&data, |case| {
        let facts = known.map_or_else(|| read(&data, case), |known| known.facts(&data, case));
        progress.step(None);
        facts
    });
    progress.finish();
    Ok((Arc::new(data), survey))
}
