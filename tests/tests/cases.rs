//! The cases of every op, forward and gradient: plans run through the element reference and on the
//! adapter give what the graph's own reference gives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::process::Command;

use samora_engine::gpu::{Device, Program};
use samora_engine::ops::cases::{CaseGraph, cases, feeds};
use samora_engine::{SourceKind, Tensor, Value, cpu, plan};
use samora_tests::host::HostProgram;
use samora_tests::{device, portable_device};

/// Largest accepted error, relative to the largest element of the value.
const TOLERANCE: f32 = 2e-4;
/// Mesa's variable for the bits of a vector.
const VECTOR_BITS: &str = "LP_NATIVE_VECTOR_WIDTH";

/// Everything a case computes: outputs, loss and gradients.
fn wanted(built: &CaseGraph) -> Vec<Value> {
    let gradients = built.gradients.iter().flatten();
    let all = built.outputs.iter().chain([&built.loss]).chain(gradients);
    all.copied().collect()
}

/// The first disagreement of `got` with `want`.
fn disagreement(got: &Tensor, want: &Tensor) -> Option<String> {
    let scale = want.as_f32().iter().fold(1e-3f32, |m, x| m.max(x.abs()));
    let pairs = got.as_f32().iter().zip(want.as_f32()).enumerate();
    let differs = |(_, (a, b)): &(usize, (&f32, &f32))| {
        let error = (**a - **b).abs();
        error.is_nan() || error > TOLERANCE * scale
    };
    match got.shape == want.shape {
        true => pairs
            .into_iter()
            .find(differs)
            .map(|(i, (a, b))| format!("[{i}] is {a}, the reference says {b}")),
        false => Some(format!("has shape {:?}, not {:?}", got.shape, want.shape)),
    }
}

/// Compares what `run` makes of every case with the reference.
fn compare(run: impl Fn(&CaseGraph, &[Value]) -> Vec<Tensor>) {
    let mut failures = Vec::new();
    for case in cases() {
        let built = case
            .graph()
            .unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let wanted = wanted(&built);
        let want = cpu::evaluate(&built.graph, &feeds(), &wanted).expect(case.name);
        for (k, (got, want)) in run(&built, &wanted).iter().zip(&want).enumerate() {
            if let Some(message) = disagreement(got, want) {
                failures.push(format!("{}: value {k} {message}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn plans_on_the_host_agree_with_the_reference() {
    for fuse in [false, true] {
        compare(|built, wanted| {
            let planned = plan(&built.graph, wanted, fuse).expect("a plan");
            let mut program = HostProgram::new(&built.graph, planned, &feeds());
            program.step();
            wanted.iter().map(|v| program.read(*v)).collect()
        });
    }
}

#[test]
fn fused_plans_on_the_adapter_agree_with_the_reference() {
    if let Some(bits) = vector_bits() {
        let lanes = bits / 32;
        assert_eq!(device().adapter.caps.subgroups, Some((lanes, lanes)));
    }
    compare(|built, wanted| run(device(), built, wanted, true));
}

#[test]
fn unfused_plans_on_the_adapter_agree_with_the_reference() {
    compare(|built, wanted| run(device(), built, wanted, false));
}

#[test]
fn portable_kernels_on_the_adapter_agree_with_the_reference() {
    compare(|built, wanted| run(portable_device(), built, wanted, true));
}

/// Mesa's software adapter compiles kernels for the vectors of the processor it runs on, or for
/// others on request; other adapters have one width, which the tests above run at.
#[test]
fn plans_agree_at_every_vector_width_of_the_software_adapter() {
    if vector_bits().is_some() || !device().adapter.name.contains("llvmpipe") {
        return;
    }
    let tests = [
        "fused_plans_on_the_adapter_agree_with_the_reference",
        "portable_kernels_on_the_adapter_agree_with_the_reference",
    ];
    for bits in ["128", "256", "512"] {
        let child = Command::new(std::env::current_exe().expect("this test"))
            .arg("--exact")
            .args(tests)
            .env(VECTOR_BITS, bits)
            .output()
            .expect("a child");
        let output = String::from_utf8_lossy(&child.stdout);
        let passed = child.status.success() && output.contains("2 passed");
        assert!(passed, "at {bits} bits: {output}");
    }
}

/// The width asked of Mesa's software adapter.
fn vector_bits() -> Option<u32> {
    std::env::var(VECTOR_BITS).ok()?.parse().ok()
}

/// Everything wanted of a case after one step on a device.
fn run(device: &Device, built: &CaseGraph, wanted: &[Value], fuse: bool) -> Vec<Tensor> {
    let planned = plan(&built.graph, wanted, fuse).expect("a plan");
    let mut program =
        Program::new(device, &built.graph, planned, &parameters(built)).expect("a program");
    let feeds = feeds();
    let used = built.graph.sources().iter().map(|s| &s.name);
    let inputs: Vec<(&str, &Tensor)> = used
        .filter_map(|name| Some((name.as_str(), feeds.get(name)?)))
        .collect();
    program.step(&inputs).expect("a step");
    let read = |v: &Value| program.read(*v).expect("a value");
    wanted.iter().map(read).collect()
}

/// The parameters as the reference draws them.
fn parameters(built: &CaseGraph) -> BTreeMap<String, Tensor> {
    let sources = built.graph.sources().iter();
    let drawn = sources.filter_map(|s| match s.kind {
        SourceKind::Param(init) => {
            let tensor = init.draw(built.graph.shape(s.value), 0, &s.name);
            Some((s.name.clone(), tensor))
        }
        _ => None,
    });
    drawn.collect()
}
