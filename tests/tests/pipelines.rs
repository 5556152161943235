//! Every module of every shipped pipeline is accepted by naga and all its backends, for software
//! adapters and for GPUs, and no plan writes over what is still read.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;

use samora_engine::{Error, Place, Plan, Planning, plan};

use samora_runner::pipeline::load_without_data;
use samora_runner::stage::stage_graph;
use samora_shaders::{BufferType, Caps, Products, emit};
use samora_tests::front_ends::{check_hlsl, check_spirv};
use samora_tests::naga_check::{Written, validate};

/// An adapter that pipelines are planned and emitted for.
struct Preset {
    name: &'static str,
    caps: Caps,
    halves: bool,
}

/// WebGPU's defaults, the software adapter, and GPUs whose lanes exchange numbers, exact and with matrices.
fn presets() -> Vec<Preset> {
    let gpu = Caps {
        subgroups: Some((32, 32)),
        bindings: 31,
        ..Caps::portable()
    };
    let matrices = |products| Caps {
        workgroup_memory: 49152,
        products,
        ..gpu
    };
    let preset = |name, caps: Caps| Preset {
        name,
        caps,
        halves: matches!(caps.products, Products::Half { .. }),
    };
    vec![
        preset("WebGPU's defaults", Caps::portable()),
        preset("the software adapter", Caps::software()),
        preset("a GPU", gpu),
        preset("a GPU in Half", matrices(Products::Half { size: 16 })),
        preset("a GPU in Half by 8×8", matrices(Products::Half { size: 8 })),
        preset("a GPU in Split", matrices(Products::Split { size: 16 })),
    ]
}

/// Every module of every shipped pipeline needs no more than the adapter it is for offers and is accepted by naga, its
/// writers, and the other front ends that are installed. What does not fit into WebGPU's defaults is refused with the
/// place and the limit.
#[test]
fn every_module_of_the_shipped_pipelines_is_accepted_by_every_backend() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    let presets = presets();
    let mut modules: HashMap<String, (String, Written)> = HashMap::new();
    let mut refused = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "ron") {
            continue;
        }
        let pipeline = load_without_data(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
        for stage in &pipeline.stages {
            let built = stage_graph(&pipeline, stage).unwrap_or_else(|e| panic!("{e}"));
            let limited = Planning {
                bindings: Caps::portable().bindings as usize,
                binding_bytes: Caps::portable().binding_bytes,
                ..Planning::exact(true)
            };
            if let Err(error) = plan(&built.graph, &built.wanted, limited) {
                let place = format!("{} {}", path.display(), stage.name());
                refused.push((place, error));
            }
            let mut plans: Vec<(Planning, Plan)> = Vec::new();
            for Preset { name, caps, halves } in &presets {
                let planning = Planning {
                    halves: *halves,
                    bindings: caps.bindings.min(31) as usize,
                    ..Planning::exact(true)
                };
                if plans.iter().all(|(other, _)| *other != planning) {
                    let planned = plan(&built.graph, &built.wanted, planning);
                    plans.push((planning, planned.unwrap_or_else(|e| panic!("{e}"))));
                }
                let (_, planned) = plans.iter().find(|(other, _)| *other == planning).unwrap();
                values_are_kept(planned);
                for step in &planned.steps {
                    let shader = emit(&step.kernel, caps);
                    let module = modules.entry(shader.source).or_insert_with_key(|source| {
                        let place =
                            format!("{}: {} of {}", path.display(), shader.name, step.label);
                        let written = validate(source).unwrap_or_else(|e| panic!("{place}: {e}"));
                        (place, written)
                    });
                    if let Some(beyond) = module.1.needs.beyond(caps) {
                        panic!("{} needs {beyond} on {name}", module.0);
                    }
                }
            }
        }
    }
    for (place, error) in &refused {
        println!("{place} with WebGPU's defaults: {error}");
        let Error::Limit { what, label, .. } = error else {
            panic!("{error}");
        };
        // Only what holds a whole batch is too large, never what one kernel binds.
        assert_eq!(*what, "MiB in a storage buffer", "{place}: {error}");
        assert!(!label.is_empty(), "{place}: {error}");
    }
    assert!(modules.len() > 1000, "only {} modules", modules.len());
    // A process for each of thousands would take minutes: modules of the same words but for numbers are one to these.
    let mut kinds: HashMap<BTreeSet<&str>, &(String, Written)> = HashMap::new();
    for (source, module) in &modules {
        let words = source.split(|c: char| !c.is_ascii_alphabetic()).collect();
        kinds.entry(words).or_insert(module);
    }
    let reports = [
        check_spirv(kinds.values().copied()),
        check_hlsl(kinds.values().copied()),
    ];
    println!("{} modules of {} kinds", modules.len(), kinds.len());
    for report in reports {
        println!("{report}");
        assert!(report.refused.is_empty(), "{:#?}", report.refused);
        assert!(!report.installed || report.accepted > 0, "{report}");
        let required = std::env::var_os("SAMORA_FRONT_ENDS").is_some();
        assert!(report.installed || !required, "{report}");
    }
}

/// No kernel writes a slot that it reads, and nothing has been written over what it reads.
fn values_are_kept(plan: &Plan) {
    // The values in each slot that nothing has been written over.
    let mut written: HashMap<usize, Vec<Range<usize>>> = HashMap::new();
    for step in &plan.steps {
        let used = step.bound.iter().zip(step.kernel.bindings());
        let used = used.filter_map(|(bound, binding)| {
            let Place::Slot { slot, first } = bound.place else {
                return None;
            };
            let len = bound.len;
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
