//! What decides the result of a stage, beside the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::dataset::{Dataset, Part};
use crate::data::slice::directions;
use crate::data::split::SliceId;
use crate::error::{Error, Result};
use crate::file_hash::{FileHashes, hex};
use crate::pipeline::{Pipeline, Stage, part_to_ron};
use crate::stage::{foundations, published_files};

/// Changed files that a message lists.
const LISTED: usize = 5;
/// The setting that says how slices lie.
pub(super) const SLICES: &str = "slices";

/// What decides the result of a stage: its settings, published weights, data as far as the stage sees it, and
/// the stages it builds on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// What the pipeline says.
    pub settings: BTreeMap<String, String>,
    /// Published weights.
    pub weights: Vec<HashedFile>,
    /// Name of the data set.
    pub data: String,
    /// SHA-256 of the images it sees, by case.
    pub images: BTreeMap<String, String>,
    /// SHA-256 of the label maps it sees, by case.
    pub labels: BTreeMap<String, String>,
    /// The slices of labelled cases it sees, from 0, such as `0…5, 7`; of all other cases it sees all.
    pub slices: BTreeMap<String, String>,
    /// Fingerprints of the stages it builds on, by name.
    pub stages: BTreeMap<String, String>,
}

/// A file and its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashedFile {
    /// Where it was.
    pub file: String,
    /// Of its content.
    pub sha256: String,
}

impl Inputs {
    /// SHA-256 over all of it but the names of the data set and of weight files. Stages of one fingerprint have
    /// the same result on the same machine.
    pub fn fingerprint(&self) -> String {
        let weights: Vec<&String> = self.weights.iter().map(|file| &file.sha256).collect();
        let text = format!(
            "{:?}",
            (
                &self.settings,
                weights,
                &self.images,
                &self.labels,
                &self.slices,
                &self.stages
            )
        );
        hex(&Sha256::digest(text))
    }

    /// What is another in `now`, a line each.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, before) in &self.settings {
            match now.settings.get(key) {
                Some(now) if now == before => (),
                Some(now) => lines.push(format!("{key}: {before} → {now}")),
                None => lines.push(format!("{key}: {before} → nothing")),
            }
        }
        let new = now
            .settings
            .iter()
            .filter(|(key, _)| !self.settings.contains_key(*key));
        lines.extend(new.map(|(key, now)| format!("{key}: nothing → {now}")));
        lines.extend(self.changed_weights(now));
        let set = &now.data;
        for (what, before, now) in [
            ("image", &self.images, &now.images),
            ("label", &self.labels, &now.labels),
        ] {
            let of = |files: &BTreeMap<String, String>, case: &str| files.get(case).cloned();
            let cases: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
            let differ = |case: &&&String| of(before, case) != of(now, case);
            let cases: Vec<&&String> = cases.iter().filter(differ).collect();
            if !cases.is_empty() {
                let change = |case: &&&String| match (of(before, case), of(now, case)) {
                    (None, _) => format!("{case} (new)"),
                    (_, None) => format!("{case} (missing)"),
                    _ => case.to_string(),
                };
                let listed: Vec<String> = cases.iter().take(LISTED).map(change).collect();
                let more = if cases.len() > LISTED { ", …" } else { "" };
                lines.push(format!(
                    "data set `{set}`: another {what} of {} cases: {}{more}",
                    cases.len(),
                    listed.join(", ")
                ));
            }
        }
        if self.slices != now.slices {
            lines.push(format!("data set `{set}`: other slices are labelled"));
        }
        for (stage, fingerprint) in &now.stages {
            if self.stages.get(stage) != Some(fingerprint) {
                lines.push(format!("builds on `{stage}`, which is another"));
            }
        }
        lines
    }

    fn changed_weights(&self, now: &Self) -> Vec<String> {
        if self.weights.len() != now.weights.len() {
            return vec!["other weight files".into()];
        }
        let pairs = self.weights.iter().zip(&now.weights);
        let changed = pairs.filter(|(before, now)| before.sha256 != now.sha256);
        changed
            .map(|(before, now)| match before.file == now.file {
                true => format!("weights {}: the file is another", now.file),
                false => format!("weights {} → {}", before.file, now.file),
            })
            .collect()
    }
}

/// The inputs of every stage by its name.
///
/// # Errors
/// A file that cannot be read.
pub fn inputs(
    pipeline: &Pipeline,
    datasets: &BTreeMap<String, Arc<Dataset>>,
    hashes: &FileHashes,
) -> Result<BTreeMap<String, Inputs>> {
    let mut all: BTreeMap<String, Inputs> = BTreeMap::new();
    for stage in &pipeline.stages {
        let mut inputs = Inputs {
            settings: settings(pipeline, stage)?,
            data: stage.data().to_owned(),
            ..Inputs::default()
        };
        for file in published_files(pipeline, stage) {
            inputs.weights.push(HashedFile {
                file: file.display().to_string(),
                sha256: hash(hashes, file)?,
            });
        }
        if let Some(data) = datasets.get(stage.data()) {
            see(stage, data, hashes, &mut inputs)?;
        }
        for earlier in foundations(pipeline, stage) {
            let fingerprint = all.get(earlier.name()).map(Inputs::fingerprint);
            let fingerprint = fingerprint.unwrap_or_default();
            inputs.stages.insert(earlier.name().to_owned(), fingerprint);
        }
        all.insert(stage.name().to_owned(), inputs);
    }
    Ok(all)
}

/// What the pipeline says that decides the stage's result.
fn settings(pipeline: &Pipeline, stage: &Stage) -> Result<BTreeMap<String, String>> {
    let mut settings = BTreeMap::new();
    let mut say = |key: &str, text: String| drop(settings.insert(key.to_owned(), text));
    // The data set's name decides nothing, nor does where weights lie.
    let mut own = stage.clone();
    match &mut own {
        Stage::Pretrain(s) => (s.data, s.weights) = (String::new(), None),
        Stage::Expert(s) => s.data.clear(),
        Stage::Finetune(s) => s.data.clear(),
        Stage::Evaluate(s) => s.data.clear(),
    }
    say("stage", part_to_ron(&own)?);
    say("seed", pipeline.seed.to_string());
    say("precision", format!("{:?}", pipeline.precision));
    if !matches!(stage, Stage::Evaluate(_)) {
        say("recompute", format!("{:?}", pipeline.recompute));
    }
    match stage {
        Stage::Pretrain(_) if !stage.trains_encoder() => {
            let size = pipeline.encoder.image_size_px();
            say("image size", size.to_string());
        }
        _ => say("encoder", part_to_ron(&pipeline.encoder)?),
    }
    match stage {
        Stage::Expert(_) => say("rank", pipeline.adapter.rank().to_string()),
        Stage::Finetune(_) => {
            say("adapter", part_to_ron(&pipeline.adapter)?);
            say("input", format!("{:?}", pipeline.tuned_intensity()));
            say("decoder", part_to_ron(&pipeline.decoder)?);
            say("mask heads", format!("{:?}", pipeline.mask_heads));
            say("transformer", part_to_ron(&pipeline.transformer)?);
        }
        Stage::Pretrain(_) | Stage::Evaluate(_) => {}
    }
    Ok(settings)
}

/// Adds the data as far as the stage sees it.
fn see(stage: &Stage, data: &Dataset, hashes: &FileHashes, inputs: &mut Inputs) -> Result<()> {
    let read = format!("{:?} {:?}", data.intensity(), data.arrays());
    inputs.settings.insert("intensity".into(), read);
    let axis = data.source().slice_axis();
    let slices = format!("{axis:?}, {}", directions(axis));
    inputs.settings.insert(SLICES.into(), slices);
    let with_labels = matches!(stage, Stage::Finetune(_) | Stage::Evaluate(_));
    if with_labels {
        let classes = format!("{:?} {:?}", data.classes(), data.label_values());
        inputs.settings.insert("classes".into(), classes);
    }
    let slices = data.slices(Part::Labelled);
    let cases: Vec<usize> = match stage {
        Stage::Pretrain(_) | Stage::Expert(_) => data.division().train.clone(),
        Stage::Evaluate(_) => data.division().test.clone(),
        Stage::Finetune(_) => {
            let cases: BTreeSet<usize> = slices.iter().map(|slice| slice.case).collect();
            cases.into_iter().collect()
        }
    };
    for index in cases {
        let Some(case) = data.cases().get(index) else {
            continue;
        };
        let image = hashes.of_scan(&case.image)?;
        inputs.images.insert(case.name.clone(), image);
        if let Some(label) = case.label.as_ref().filter(|_| with_labels) {
            let label = hashes.of_scan(label)?;
            inputs.labels.insert(case.name.clone(), label);
        }
        if let Stage::Finetune(_) = stage {
            inputs
                .slices
                .insert(case.name.clone(), ranges(&slices, index));
        }
    }
    Ok(())
}

fn hash(hashes: &FileHashes, file: &Path) -> Result<String> {
    hashes.of(file).map_err(|e| Error::file(file, "read", e))
}

/// The slices of a case, such as `0…5, 7`.
fn ranges(slices: &[SliceId], case: usize) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for slice in slices.iter().filter(|slice| slice.case == case) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == slice.index => *last = slice.index,
            _ => runs.push((slice.index, slice.index)),
        }
    }
    let text = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}…{last}"),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(", ")
}
