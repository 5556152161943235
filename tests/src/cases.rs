//! The cases of every op against the graph's own reference.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use samora_engine::gpu::{Device, Program};
use samora_engine::ops::cases::{Case, CaseGraph, cases, feeds};
use samora_engine::{Graph, Planning, Result, SourceKind, Tensor, Value, cpu, plan};

/// Compares what `run` makes of every case with the reference; `tolerance` is relative to the largest
/// element of a value.
///
/// # Panics
/// When they disagree.
pub fn compare(tolerance: f32, run: impl Fn(&CaseGraph, &[Value]) -> Vec<Tensor>) {
    let graph = |case: &Case| case.graph();
    let failures = disagreements(&cases(), tolerance, graph, run);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Where what `run` makes of `cases`, built by `graph`, is not what the reference makes of them.
///
/// # Panics
/// When a case has a mistake.
pub fn disagreements(
    cases: &[Case],
    tolerance: f32,
    graph: impl Fn(&Case) -> Result<CaseGraph>,
    run: impl Fn(&CaseGraph, &[Value]) -> Vec<Tensor>,
) -> Vec<String> {
    let mut failures = Vec::new();
    for case in cases {
        let built = graph(case).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let wanted = wanted(&built);
        let want = cpu::evaluate(&built.graph, &feeds(), &wanted).expect(case.name);
        for (k, (got, want)) in run(&built, &wanted).iter().zip(&want).enumerate() {
            if let Some(message) = disagreement(got, want, tolerance) {
                failures.push(format!("{}: value {k} {message}", case.name));
            }
        }
    }
    failures
}

/// Everything a case computes: outputs, loss and gradients.
fn wanted(built: &CaseGraph) -> Vec<Value> {
    let gradients = built.gradients.iter().flatten();
    let all = built.outputs.iter().chain([&built.loss]).chain(gradients);
    all.copied().collect()
}

/// The first disagreement of `got` with `want`.
fn disagreement(got: &Tensor, want: &Tensor, tolerance: f32) -> Option<String> {
    let scale = want.as_f32().iter().fold(1e-3f32, |m, x| m.max(x.abs()));
    let pairs = got.as_f32().iter().zip(want.as_f32()).enumerate();
    let differs = |(_, (a, b)): &(usize, (&f32, &f32))| {
        let error = (**a - **b).abs();
        error.is_nan() || error > tolerance * scale
    };
    match got.shape == want.shape {
        true => pairs
            .into_iter()
            .find(differs)
            .map(|(i, (a, b))| format!("[{i}] is {a}, the reference says {b}")),
        false => Some(format!("has shape {:?}, not {:?}", got.shape, want.shape)),
    }
}

/// Everything wanted of a case after one step on a device.
///
/// # Panics
/// When the plan or a step fails.
pub fn run(device: &Device, built: &CaseGraph, wanted: &[Value], fuse: bool) -> Vec<Tensor> {
    run_planned(device, built, wanted, device.planning(fuse))
}

/// [`run`] by another plan than the device's.
///
/// # Panics
/// When the plan or a step fails.
pub fn run_planned(
    device: &Device,
    built: &CaseGraph,
    wanted: &[Value],
    planning: Planning,
) -> Vec<Tensor> {
    let planned = plan(&built.graph, wanted, planning).expect("a plan");
    let mut program =
        Program::new(device, &built.graph, planned, &parameters(&built.graph)).expect("a program");
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
pub fn parameters(graph: &Graph) -> BTreeMap<String, Tensor> {
    let drawn = graph.sources().iter().filter_map(|s| match s.kind {
        SourceKind::Param(init) => {
            let tensor = init.draw(graph.shape(s.value), 0, &s.name);
            Some((s.name.clone(), tensor))
        }
        _ => None,
    });
    drawn.collect()
}
