//! The weights that finished stages and published checkpoints give to later stages.

use std::path::{Path, PathBuf};

use samora_engine::Graph;
use samora_engine::weights::{Decoder, Import, Weights, fit};

use super::segment;
use crate::error::Result;
use crate::pipeline::{Finetune, Pipeline, Stage};
use crate::run_dir::checkpoint;

/// What a stage starts from: the pipeline's published weights fitted to `graph`, then those of the
/// finished stages that train the encoder, then those of the stages named in `after`, each winning over
/// what came before. `root` is the run directory.
///
/// # Errors
/// A file that is missing, damaged or of another configuration.
pub(super) fn stage_weights<'a>(
    pipeline: &'a Pipeline,
    root: &Path,
    graph: &Graph,
    after: impl IntoIterator<Item = &'a str>,
) -> Result<Weights> {
    let encoders = pipeline.stages.iter().filter(|s| s.trains_encoder());
    let encoders = encoders.map(Stage::name);
    let finished = encoders.filter(|name| checkpoint(root, name).exists());
    let mut trained = Weights::default();
    for name in finished.chain(after) {
        let stage = Weights::read(&checkpoint(root, name))?;
        trained.tensors.extend(stage.tensors);
    }
    let files = pipeline.weights.iter().flat_map(|files| &files.0);
    published(files, graph, trained)
}

/// `trained`, and what published files give to the other parameters of `graph`. Says for each file what
/// became of its tensors.
///
/// # Errors
/// A file that is missing, damaged, not finite or of another configuration.
pub(super) fn published<'a>(
    files: impl IntoIterator<Item = &'a PathBuf>,
    graph: &Graph,
    mut trained: Weights,
) -> Result<Weights> {
    let read = |path: &PathBuf| Import::read(path, Decoder::PromptFree);
    let imports = files.into_iter().map(read).collect::<Result<_, _>>()?;
    let (given, reports) = fit(imports, graph, &trained)?;
    for report in reports {
        eprintln!("weights: {report}");
    }
    trained.tensors.extend(given.tensors);
    Ok(trained)
}

/// Everything a fine-tuned network consists of. `root` is the run directory.
///
/// # Errors
/// A checkpoint that is missing or damaged.
pub fn finetuned_weights(pipeline: &Pipeline, root: &Path, stage: &Finetune) -> Result<Weights> {
    let classes = pipeline
        .data
        .get(&stage.data)
        .map_or(0, |s| s.classes().len());
    let (graph, _) = segment::graph(pipeline, stage, classes, 1);
    let names = stage.experts.iter().chain([&stage.name]);
    stage_weights(pipeline, root, &graph, names.map(String::as_str))
}
