//! Whether published weights can be read and fit the networks that start from them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use samora_engine::Tensor;
use samora_engine::weights::{Decoder, Import, MaskHeads, Weights, fit};

use super::Findings;
use super::stages::Graphs;
use crate::pipeline::Pipeline;
use crate::stage::{check_intensity, foundations, published_files};

/// Weight files, each read once.
#[derive(Default)]
pub(super) struct WeightFiles {
    read: BTreeMap<PathBuf, Option<Import>>,
    /// Those that gave a network something.
    used: BTreeSet<PathBuf>,
    /// Those of fits that failed, which tell nothing of the single file.
    failed: BTreeSet<PathBuf>,
}

impl WeightFiles {
    /// Fits the files of every stage to its graph.
    pub(super) fn examine(
        &mut self,
        pipeline: &Pipeline,
        graphs: &Graphs<'_>,
        findings: &mut Findings,
    ) {
        for stage in &pipeline.stages {
            let files = published_files(pipeline, stage);
            let imports: Vec<Import> = (files.iter())
                .filter_map(|path| self.import(path, pipeline.mask_heads, findings))
                .collect();
            let Some((_, built)) = graphs.get(stage.name()) else {
                continue;
            };
            if imports.len() < files.len() || files.is_empty() {
                continue;
            }
            if let Err(error) = check_intensity(pipeline, stage) {
                findings.problem(error.to_string());
            }
            // What earlier stages will have trained.
            let mut trained = Weights::default();
            for earlier in foundations(pipeline, stage) {
                let saved = graphs.get(earlier.name()).map(|(_, built)| &built.saved);
                let names = saved.into_iter().flatten().cloned();
                let nothing = || Tensor::f32(&[0], Vec::new());
                trained.tensors.extend(names.map(|name| (name, nothing())));
            }
            match fit(imports, &built.graph, &trained) {
                Ok((_, reports)) => {
                    for (path, report) in files.iter().zip(reports) {
                        if !report.taken.is_empty() || !report.resized.is_empty() {
                            self.used.insert(path.to_path_buf());
                        }
                    }
                }
                Err(error) => {
                    findings.problem(format!("stage {}: {error}", stage.name()));
                    self.failed
                        .extend(files.iter().map(|path| path.to_path_buf()));
                }
            }
        }
    }

    /// A file that gives nothing to any network is of another one.
    pub(super) fn find_unused(&self, findings: &mut Findings) {
        for (path, import) in &self.read {
            if let Some(import) = import
                && !self.used.contains(path)
                && !self.failed.contains(path)
            {
                findings.problem(format!(
                    "{}: none of its tensors ({}) belongs to a network that starts from it; see \
                     `runner inspect`",
                    path.display(),
                    import.report.architecture
                ));
            }
        }
    }

    fn import(&mut self, path: &Path, heads: MaskHeads, findings: &mut Findings) -> Option<Import> {
        if let Some(known) = self.read.get(path) {
            return known.clone();
        }
        let import = Import::read(path, Decoder::PromptFree(heads));
        let import = import
            .map_err(|error| findings.problem(error.to_string()))
            .ok();
        self.read.insert(path.to_path_buf(), import.clone());
        import
    }
}
