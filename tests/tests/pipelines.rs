//! Every module of every shipped pipeline is accepted by naga and all its backends, for software
//! adapters and for GPUs.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;
use std::path::Path;

use samora_runner::pipeline::load_without_data;
use samora_runner::stage::plan_stage;
use samora_shaders::{Caps, Products, emit};
use samora_tests::naga_check::validate;

#[test]
fn every_module_of_the_shipped_pipelines_is_accepted_by_every_backend() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    let gpu = Caps {
        subgroups: Some((32, 32)),
        ..Caps::portable()
    };
    let matrices = |products| Caps {
        workgroup_memory: 49152,
        products,
        ..gpu
    };
    let half = matrices(Products::Half { size: 16 });
    let split = matrices(Products::Split { size: 16 });
    let mut seen = HashSet::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "ron") {
            continue;
        }
        let pipeline = load_without_data(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
        for stage in &pipeline.stages {
            let planned = plan_stage(&pipeline, stage, true).unwrap_or_else(|e| panic!("{e}"));
            for step in &planned.plan.steps {
                for caps in [Caps::portable(), Caps::software(), gpu, half, split] {
                    let shader = emit(&step.kernel, &caps);
                    if !seen.contains(&shader.source) {
                        let name = format!("{}: {} of {}", path.display(), shader.name, step.label);
                        validate(&shader.source).unwrap_or_else(|e| panic!("{name}: {e}"));
                        seen.insert(shader.source);
                    }
                }
            }
        }
    }
    assert!(seen.len() > 1000, "only {} modules", seen.len());
}
