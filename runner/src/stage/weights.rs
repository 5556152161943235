//! The weights that finished stages and published checkpoints give to later stages.

use std::path::{Path, PathBuf};

use samora_engine::Graph;
use samora_engine::weights::{Decoder, Import, WeightFile, Weights, fit};
use sha2::{Digest, Sha256};

use super::segment;
use crate::data::source::{Axis, Source};
use crate::error::{Error, Result};
use crate::file_hash::{files_sha256, hex};
use crate::pipeline::{Finetune, Level, Objective, Pipeline, Stage, to_ron};
use crate::provenance::verify_weights;
use crate::run_dir::checkpoint;

/// The earlier stages whose weights a stage starts from, each winning over those before it: all that train the
/// encoder, its teacher or model, and the experts that the pipeline's adapter takes.
pub fn foundations<'a>(pipeline: &'a Pipeline, stage: &Stage) -> Vec<&'a Stage> {
    let called = |name: &str| pipeline.stages.iter().find(|s| s.name() == name);
    let encoders = || {
        let earlier = pipeline.stages.iter();
        let earlier = earlier.take_while(|s| s.name() != stage.name());
        earlier.filter(|s| s.trains_encoder())
    };
    match stage {
        Stage::Pretrain(s) => match (&s.weights, &s.objective) {
            (None, Objective::Masked { .. }) => encoders().collect(),
            _ => Vec::new(),
        },
        Stage::Expert(s) => {
            let teacher = match &s.level {
                Level::Image { teacher, .. } | Level::Patch { teacher, .. } => called(teacher),
                Level::Pixel { .. } => None,
            };
            encoders().chain(teacher).collect()
        }
        Stage::Finetune(_) => {
            let experts = pipeline.stages.iter();
            let experts = experts.filter(|s| matches!(s, Stage::Expert(_)));
            let taken = pipeline.adapter.takes_experts();
            encoders().chain(experts.filter(|_| taken)).collect()
        }
        Stage::Evaluate(s) => {
            let Some(model) = called(&s.model) else {
                return Vec::new();
            };
            let mut stages = foundations(pipeline, model);
            stages.push(model);
            stages
        }
    }
}

/// The published weight files that a stage starts from; of a parameter that several give, the last counts.
pub fn published_files<'a>(pipeline: &'a Pipeline, stage: &'a Stage) -> Vec<&'a Path> {
    if let Stage::Pretrain(s) = stage
        && let Some(own) = &s.weights
    {
        return vec![own];
    }
    if matches!(stage, Stage::Pretrain(_)) && !stage.trains_encoder() {
        return Vec::new();
    }
    let files = pipeline.weights.iter().flat_map(|files| &files.0);
    files.map(PathBuf::as_path).collect()
}

/// What a checkpoint's metadata calls the scale on which its network saw images.
pub(super) const INTENSITY: &str = "intensity";

/// Whether the weights that a stage continues from were trained on the scale on which it shows images, as far
/// as their files say.
///
/// # Errors
/// A file of another scale, or one that cannot be read.
pub fn check_intensity(pipeline: &Pipeline, stage: &Stage) -> Result<()> {
    let Stage::Pretrain(stage) = stage else {
        return Ok(());
    };
    let Some(path) = &stage.weights else {
        return Ok(());
    };
    let shown = format!("{:?}", pipeline.pretrain_intensity(stage));
    match WeightFile::open(path)?.metadata().get(INTENSITY) {
        Some(trained) if *trained != shown => Err(Error::Usage(format!(
            "stage {}: the network in {} was trained on images of `intensity: {trained}` and would be \
             shown `{shown}`; write `intensity: {trained}` into the stage",
            stage.name,
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// What a stage starts from: what [`published_files`] give to `graph`, then the checkpoints of the
/// [`foundations`] in the run directory `root`. Says for each file what became of its tensors.
///
/// # Errors
/// A file that is missing, damaged, not finite or of another configuration.
pub(super) fn stage_weights(
    pipeline: &Pipeline,
    root: &Path,
    graph: &Graph,
    stage: &Stage,
) -> Result<Weights> {
    check_intensity(pipeline, stage)?;
    let files = published_files(pipeline, stage);
    given(pipeline, &files, root, graph, &foundations(pipeline, stage))
}

/// The files that [`finetuned_weights`] reads: published weights, and checkpoints of the run directory `root`.
///
/// # Errors
/// A run that is not finished so far; the message says how to go on with it.
pub fn network_files(pipeline: &Pipeline, root: &Path, stage: &Finetune) -> Result<Vec<PathBuf>> {
    let stage = Stage::Finetune(stage.clone());
    let is_trained = |stage: &&Stage| checkpoint(root, stage.name()).exists();
    let mut needed = foundations(pipeline, &stage);
    needed.push(&stage);
    if !needed.iter().all(is_trained) {
        let training = pipeline.stages.iter().filter(|s| s.optimiser().is_some());
        let training: Vec<&Stage> = training.collect();
        let next = training.iter().position(|s| !is_trained(s)).unwrap_or(0);
        let run = root.display();
        let problem = format!(
            "the run is not finished: stage {}, {} of {}, comes next; `runner {run}/resolved.ron --out {run}` \
             goes on with it",
            training.get(next).map_or("", |stage| stage.name()),
            next + 1,
            training.len()
        );
        return Err(Error::RunDirectory {
            path: root.to_owned(),
            problem,
        });
    }
    let published = published_files(pipeline, &stage).into_iter();
    let published = published.map(Path::to_owned);
    let checkpoints = needed.iter().map(|stage| checkpoint(root, stage.name()));
    Ok(published.chain(checkpoints).collect())
}

/// SHA-256 of what decides how a fine-tuned network segments: the pipeline, the version of the runner and the
/// `files` of [`network_files`].
///
/// # Errors
/// A file that cannot be read.
pub fn network_sha256(pipeline: &Pipeline, files: &[PathBuf]) -> Result<String> {
    let mut all = Sha256::new();
    all.update(format!(
        "{}\n{}\n",
        env!("CARGO_PKG_VERSION"),
        to_ron(pipeline)?
    ));
    all.update(files_sha256(files)?);
    Ok(hex(&all.finalize()))
}

/// Everything a fine-tuned network consists of. `root` is the run directory.
///
/// # Errors
/// A checkpoint that is missing or damaged, or published weights that are not those of the training.
pub fn finetuned_weights(pipeline: &Pipeline, root: &Path, stage: &Finetune) -> Result<Weights> {
    let classes = pipeline
        .data
        .get(&stage.data)
        .map_or(0, |s| s.classes().len());
    let (graph, _) = segment::graph(pipeline, classes, 1);
    let stage = Stage::Finetune(stage.clone());
    let mut stages = foundations(pipeline, &stage);
    stages.push(&stage);
    let published = published_files(pipeline, &stage);
    let axis = pipeline
        .data
        .get(stage.data())
        .map_or(Axis::default(), Source::slice_axis);
    verify_weights(root, stage.name(), axis, &published)?;
    given(pipeline, &published, root, &graph, &stages)
}

/// Everything that a fine-tuned network of published files consists of, for `classes` beside the background.
///
/// # Errors
/// A parameter that no file gives.
pub fn published_weights(
    pipeline: &Pipeline,
    imports: Vec<Import>,
    classes: usize,
) -> Result<Weights> {
    let (graph, _) = segment::graph(pipeline, classes, 1);
    let (weights, reports) = fit(imports, &graph, &Weights::default())?;
    for report in &reports {
        eprintln!("weights: {report}");
    }
    let missing: Vec<&String> = reports.iter().flat_map(|report| &report.missing).collect();
    match missing.as_slice() {
        [] => Ok(weights),
        [first, ..] => {
            let files: Vec<&str> = reports.iter().map(|report| report.file.as_str()).collect();
            Err(Error::Usage(format!(
                "{}: {} tensors that the network needs are missing, {first} first; is a file missing, or is it of \
                 another network? `runner inspect` shows what each holds",
                files.join(", "),
                missing.len()
            )))
        }
    }
}

fn given(
    pipeline: &Pipeline,
    files: &[&Path],
    root: &Path,
    graph: &Graph,
    stages: &[&Stage],
) -> Result<Weights> {
    let mut trained = Weights::default();
    for stage in stages {
        let stage = Weights::read(&checkpoint(root, stage.name()))?;
        trained.tensors.extend(stage.tensors);
    }
    let read = |path: &&Path| Import::read(path, Decoder::PromptFree(pipeline.mask_heads));
    let imports = files.iter().map(read).collect::<Result<_, _>>()?;
    let (published, reports) = fit(imports, graph, &trained)?;
    for report in reports {
        eprintln!("weights: {report}");
    }
    trained.tensors.extend(published.tensors);
    Ok(trained)
}
