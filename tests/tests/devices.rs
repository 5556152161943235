//! The processor and the shaders compute the same: the first steps of every stage of every shipped pipeline, with
//! fewer blocks and narrower networks where a pipeline's are large.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::num::NonZero;
use std::path::Path;

use samora_engine::{Planning, SourceKind, Tensor, gpu, native, plan};
use samora_runner::bench::Case;
use samora_runner::pipeline::{Override, load_without_data};
use samora_tests::device;

const STEPS: usize = 2;
/// Of each loss, as a part of it.
const LOSS: f64 = 1e-4;
/// Of what the optimiser keeps of the gradients, as a part of the largest.
const GRADIENT: f64 = 2e-3;
/// The same of a network with ReLU: where its argument is all but zero, rounding decides whether a gradient passes.
const KINKED: f64 = 0.1;
/// Of the same, as a part of the largest of all parameters.
const ROUNDING: f64 = 1e-7;

/// What makes the networks of a shipped pipeline small, by what its encoder is.
fn small(pipeline: &str) -> &'static [&'static str] {
    match pipeline {
        p if p.starts_with("demo") || p.starts_with("hippocampus") || p.ends_with("_small") => &[],
        "la_fewshot_lite" => &[],
        _ => &[
            "encoder.image_size_px=64",
            "stages.mae.objective.network.image_size_px=64",
            "encoder.dim=64",
            "encoder.depth=2",
            "encoder.heads=2",
            "encoder.global_blocks=[1]",
            "stages.simclr.objective.network.blocks=[1, 1]",
            "stages.simclr.objective.network.width=8",
            "stages.mae.objective.network.dim=32",
            "stages.mae.objective.network.depth=1",
            "stages.mae.objective.network.heads=2",
            "stages.mae.objective.network.decoder_dim=32",
            "stages.mae.objective.network.decoder_depth=1",
            "stages.mae.objective.network.decoder_heads=2",
            "stages.image.level.projector_width=64",
            "stages.patch.level.projector_width=64",
        ],
    }
}

#[test]
fn the_first_steps_of_every_shipped_pipeline_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    let mut stages = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // Those on all labelled data are of the same networks.
        if path.extension().is_none_or(|e| e != "ron") || name.ends_with("_full") {
            continue;
        }
        let whole = load_without_data(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
        let two = |stage: &str| match stage {
            // Two views of each image.
            "simclr" => 4,
            _ => 2,
        };
        let batches = whole
            .stages
            .iter()
            .map(|s| s.name())
            .filter(|s| *s != "test");
        let batches = batches.map(|s| format!("stages.{s}.batch={}", two(s)));
        let sets = batches.chain(small(&name).iter().map(|s| s.to_string()));
        let sets: Vec<Override> = sets.map(|s| Override::parse(&s).unwrap()).collect();
        let pipeline = load_without_data(&path, &sets).unwrap_or_else(|e| panic!("{e}"));
        for stage in &pipeline.stages {
            if stage.name() == "test" {
                continue;
            }
            let what = format!("{name} {}", stage.name());
            let case = Case::of_stage(what, &pipeline, stage).unwrap_or_else(|e| panic!("{e}"));
            agree(&case);
            stages += 1;
        }
    }
    assert!(stages > 35, "{stages} stages");
}

/// Takes steps on both devices and compares losses and what the optimiser keeps.
fn agree(case: &Case) {
    let processor = native::Device::new(NonZero::new(2)).unwrap();
    let graph = &case.graph;
    let planned = |planning: Planning| plan(graph, &case.wanted, planning).unwrap();
    let exact = planned(processor.planning(true));
    let mut native = native::Program::new(&processor, graph, exact, &case.tensors).unwrap();
    let of_adapter = planned(device().planning(true));
    let mut shaders = gpu::Program::new(device(), graph, of_adapter, &case.tensors).unwrap();
    let inputs: Vec<(&str, &Tensor)> = case.inputs.iter().map(|(n, t)| (n.as_str(), t)).collect();
    for step in 0..STEPS {
        native.step(&inputs).unwrap();
        shaders.step(&inputs).unwrap();
        for value in &case.wanted {
            let [got, want] = [native.read(*value).unwrap(), shaders.read(*value).unwrap()];
            let place = format!("{}: {value:?} in step {step}", case.name);
            assert_close(&place, &got, &want, LOSS * largest(&want));
        }
        if step == 0 {
            agree_on_gradients(case, &native, &shaders);
        }
    }
}

/// What the optimiser keeps is the same after one step. Later ones differ where a gradient is rounding alone: whatever
/// its size, Adam's first update has that of the learning rate.
fn agree_on_gradients(case: &Case, native: &native::Program<'_>, shaders: &gpu::Program<'_>) {
    let graph = &case.graph;
    let state = graph.sources().iter();
    let state = state.filter(|s| matches!(s.kind, SourceKind::State(_)));
    let state: Vec<(&str, Tensor)> = state
        .map(|s| (s.name.as_str(), shaders.tensor(&s.name).unwrap()))
        .collect();
    let kind = |name: &str| name.split('.').nth(1).map(str::to_string);
    for (name, want) in &state {
        // Gradients that should be zero, such as those of the biases of keys, are what rounding leaves of them.
        let alike = state.iter().filter(|(other, _)| kind(other) == kind(name));
        let rounding = ROUNDING * alike.map(|(_, t)| largest(t)).fold(0.0, f64::max);
        let place = format!("{}: {name}", case.name);
        let part = match name.contains("resnet") {
            true => KINKED,
            false => GRADIENT,
        };
        let tolerance = part * largest(want) + rounding;
        assert_close(&place, &native.tensor(name).unwrap(), want, tolerance);
    }
}

fn largest(tensor: &Tensor) -> f64 {
    (0..tensor.len()).fold(0.0f64, |m, i| m.max(tensor.at(i).abs()))
}

fn assert_close(place: &str, got: &Tensor, want: &Tensor, tolerance: f64) {
    assert_eq!(got.shape, want.shape, "{place}");
    for i in 0..want.len() {
        let off = (got.at(i) - want.at(i)).abs();
        let close = off <= tolerance;
        assert!(
            close,
            "{place}[{i}] is {}, the shaders say {}",
            got.at(i),
            want.at(i)
        );
    }
}
