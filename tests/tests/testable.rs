//! The start-up self-test can judge every kernel of the shipped pipelines.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use samora_engine::gpu::testable;
use samora_engine::{Planning, Step, plan};
use samora_runner::pipeline::load_without_data;
use samora_runner::stage::stage_graph;
use samora_shaders::Products;

/// The smallest kernel of each form, kernels that differ in numbers alone being of one form: whether samples tell does
/// not depend on sizes, and of all kernels it would take minutes.
#[test]
fn the_self_test_can_judge_every_kernel_of_the_shipped_pipelines() {
    let forms = forms();
    println!("{} forms", forms.len());
    assert!(forms.len() > 400, "only {} forms", forms.len());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let steps: Vec<&(Products, Step)> = forms.values().collect();
    let refused: Vec<String> = std::thread::scope(|scope| {
        let shares = steps.chunks(steps.len().div_ceil(threads));
        let shares: Vec<_> = shares
            .map(|share| scope.spawn(|| share.iter().filter_map(|s| untestable(s)).collect()))
            .collect();
        let refused = shares.into_iter().flat_map(|share| -> Vec<String> {
            let refused = share.join();
            refused.unwrap()
        });
        refused.collect()
    });
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

fn untestable((products, step): &(Products, Step)) -> Option<String> {
    let error = testable(step, *products).err()?;
    Some(format!("{error}: {:?}", step.kernel))
}

/// In f32, and with what products read kept as f16.
fn forms() -> BTreeMap<String, (Products, Step)> {
    let plannings = [
        (false, Products::Exact),
        (true, Products::Half { size: 16 }),
    ];
    let mut forms: BTreeMap<String, (Products, Step)> = BTreeMap::new();
    let size = |step: &Step| -> usize { step.lens().iter().sum() };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "ron") {
            continue;
        }
        let pipeline = load_without_data(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
        for stage in &pipeline.stages {
            let built = stage_graph(&pipeline, stage).unwrap_or_else(|e| panic!("{e}"));
            for (halves, products) in plannings {
                let planning = Planning {
                    halves,
                    ..Planning::exact(true)
                };
                let planned = plan(&built.graph, &built.wanted, planning);
                for step in planned.unwrap_or_else(|e| panic!("{e}")).steps {
                    let form = form(&step);
                    if forms.get(&form).is_none_or(|(_, s)| size(&step) < size(s)) {
                        forms.insert(form, (products, step));
                    }
                }
            }
        }
    }
    forms
}

/// What a kernel computes, numbers left out.
fn form(step: &Step) -> String {
    let text = format!("{:?}", step.kernel);
    let mut form = String::with_capacity(text.len());
    for c in text.chars() {
        // What follows a letter tells f16 from f32.
        match c.is_ascii_digit() && !form.ends_with(char::is_alphabetic) {
            true if form.ends_with('#') => (),
            true => form.push('#'),
            false => form.push(c),
        }
    }
    form
}
