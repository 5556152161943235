//! Every module of every shipped pipeline is accepted by naga and all its backends, for software
//! adapters and for GPUs, and no plan writes over what is still read.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use samora_engine::{Place, Plan};

use samora_runner::pipeline::load_without_data;
use samora_runner::stage::plan_stage;
use samora_shaders::{BufferType, Caps, Products, emit};
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
            values_are_kept(&planned.plan);
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

/// No kernel writes a slot that it reads, and nothing has been written over what it reads.
fn values_are_kept(plan: &Plan) {
    // The values in each slot that nothing has been written over.
    let mut written: HashMap<usize, Vec<Range<usize>>> = HashMap::new();
    for step in &plan.steps {
        let bindings = step.kernel.bindings().iter().zip(&step.lens);
        let used = step.places.iter().zip(bindings);
        let used = used.filter_map(|(place, (binding, &len))| {
            let Place::Slot { slot, first } = *place else {
                return None;
            };
            let words = if binding.ty == BufferType::F16 {
                len.div_ceil(2)
            } else {
                len
            };
            Some((binding.write, slot, first..first + words))
        });
        let (writes, reads): (Vec<_>, Vec<_>) = used.partition(|(write, ..)| *write);
        for (_, slot, words) in reads {
            let both = writes.iter().any(|(_, s, _)| *s == slot);
            assert!(!both, "{} reads and writes a slot", step.label);
            let mut values = written.get(&slot).into_iter().flatten();
            let whole = values.any(|value| value.start == words.start && value.end >= words.end);
            assert!(whole, "{} reads what is gone", step.label);
        }
        for (_, slot, words) in writes {
            assert!(words.end <= plan.slots[slot], "{}", step.label);
            let values = written.entry(slot).or_default();
            values.retain(|value| value.end <= words.start || words.end <= value.start);
            values.push(words);
        }
    }
}
