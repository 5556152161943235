//! The pipelines that are shipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use samora_runner::pipeline::{Encoder, Override, Stage, load_without_data, to_ron};
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

/// Pipelines whose patch level's teacher has the grid of SAM 2's features.
const FOR_SAM2: [&str; 4] = ["demo", "synapse", "la_f", "promise"];

#[test]
fn every_variant_of_every_pipeline_is_planned_or_refused() {
    for file in shipped() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        // As the other with fewer labels.
        if name.ends_with("_full") {
            continue;
        }
        let is_small = name.ends_with("_small") || name.ends_with("_lite");
        let fits = !is_small && FOR_SAM2.iter().any(|known| name.starts_with(known));
        let own = load_without_data(&file, &[]).unwrap().encoder;
        let fragment = if name.starts_with("demo") {
            "small"
        } else {
            "base_plus"
        };
        let sam2 = format!("encoder=include(\"fragments/sam2_{fragment}.ron\")");
        for adapter in [
            "Experts",
            "Experts(hl_attn: Released)",
            "UntrainedExperts",
            "SummedExperts",
            "Lora",
            "Nothing",
        ] {
            for (decoder, encoder) in [
                ("Sam", None),
                ("HSam", None),
                ("Sam", Some(&sam2)),
                ("HSam", Some(&sam2)),
            ] {
                let takes_experts = ["Experts", "Summed"].iter().any(|a| adapter.starts_with(a));
                if encoder.is_some() && takes_experts && !fits {
                    continue;
                }
                let mut sets = vec![format!("adapter={adapter}"), format!("decoder={decoder}")];
                sets.extend(encoder.cloned());
                sets.push("stages.finetune.batch=1".into());
                let sets: Vec<Override> =
                    sets.iter().map(|s| Override::parse(s).unwrap()).collect();
                let what = format!("{name}: {adapter}, {decoder}, {encoder:?}");
                let loaded = load_without_data(&file, &sets);
                if decoder == "HSam" && (encoder.is_some() || matches!(own, Encoder::Sam2(_))) {
                    let error = loaded.unwrap_err().to_string();
                    assert!(
                        error.contains("SAM 2 has a decoder of its own"),
                        "{what}: {error}"
                    );
                    continue;
                }
                let pipeline = loaded.unwrap_or_else(|e| panic!("{what}: {e}"));
                for stage in &pipeline.stages {
                    // Stages before are the same in all variants of an encoder.
                    if matches!(stage, Stage::Finetune(_)) {
                        let planned = plan_stage(&pipeline, stage, true);
                        let planned = planned.unwrap_or_else(|e| panic!("{what}: {e}"));
                        assert!(!planned.plan.steps.is_empty(), "{what}");
                    }
                }
            }
        }
    }
}
