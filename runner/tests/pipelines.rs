//! The pipelines that are shipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use samora_runner::pipeline::{Override, load_without_data, to_ron};
use samora_runner::stage::plan_stage;

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    let entries = folder.read_dir().unwrap().map(|e| e.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|e| e == "ron"));
    files.collect()
}

#[test]
fn every_pipeline_reads_is_planned_and_resolves_to_itself() {
    let files = shipped();
    assert!(files.len() >= 5, "{files:?}");
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let pipeline = load_without_data(&file, &[]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(file.file_stem().unwrap().to_str().unwrap(), pipeline.name);
        let resolved = folder.path().join("resolved.ron");
        std::fs::write(&resolved, to_ron(&pipeline).unwrap()).unwrap();
        assert_eq!(load_without_data(&resolved, &[]).unwrap(), pipeline);
        let sets: Vec<Override> = pipeline
            .stages
            .iter()
            .map(|s| Override::parse(&format!("stages.{}.batch=2", s.name())).unwrap())
            .collect();
        let small = load_without_data(&file, &sets).unwrap();
        for stage in &small.stages {
            let planned = plan_stage(&small, stage, true);
            let planned = planned.unwrap_or_else(|e| panic!("{} {e}", stage.name()));
            assert!(!planned.plan.steps.is_empty());
        }
    }
}
