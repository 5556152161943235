//! Every case of every op, forward and backward: plans on the host and on the adapter against the
//! graph's reference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use samora_engine::gpu::{Device, Program};
use samora_engine::ops::cases::{Case, CaseGraph, cases, feeds};
use samora_engine::{SourceKind, Tensor, Value, cpu, plan};
use samora_tests::host::HostProgram;
use samora_tests::{device, portable_device};

/// Values to compare: the outputs, the loss, and every gradient.
fn wanted(case: &CaseGraph) -> Vec<Value> {
    let gradients = case.gradients.iter().flatten();
    case.outputs
        .iter()
        .chain([&case.loss])
        .chain(gradients)
        .copied()
        .collect()
}

fn close(name: &str, got: &Tensor, want: &Tensor) -> Result<(), String> {
    let scale = want.as_f32().iter().fold(1e-3f32, |m, x| m.max(x.abs()));
    for (i, (a, b)) in got.as_f32().iter().zip(want.as_f32()).enumerate() {
        if !((a - b).abs() <= 2e-4 * scale) {
            return Err(format!("{name}[{i}]: {a} instead of {b}"));
        }
    }
    Ok(())
}

fn on_device(device: &Device, case: &Case, fuse: bool) -> Result<(), String> {
    let mut built = case.graph().map_err(|e| format!("{}: {e}", case.name))?;
    let wanted = wanted(&built);
    let want = cpu::evaluate(&built.graph, &feeds(), &wanted).map_err(|e| e.to_string())?;
    let planned = plan(&mut built.graph, &wanted, fuse).map_err(|e| e.to_string())?;
    let g = &built.graph;
    let params = g.sources().iter().filter_map(|s| match s.kind {
        SourceKind::Param(init) => Some((s.name.clone(), init.draw(g.shape(s.value), 0, &s.name))),
        _ => None,
    });
    let tensors: BTreeMap<String, Tensor> = params.collect();
    let mut program =
        Program::new(device, g, planned, &tensors).map_err(|e| format!("{}: {e}", case.name))?;
    let feeds = feeds();
    let random = g.sources().iter().any(|s| s.name == "random");
    let inputs: Vec<(&str, &Tensor)> = feeds
        .iter()
        .filter(|_| random)
        .map(|(n, t)| (n.as_str(), t))
        .collect();
    program.step(&inputs).map_err(|e| e.to_string())?;
    for (k, (v, want)) in wanted.iter().zip(&want).enumerate() {
        let got = program.read(*v).map_err(|e| e.to_string())?;
        close(&format!("{} value {k} fuse {fuse}", case.name), &got, want)?;
    }
    Ok(())
}

fn all(run: impl Fn(&Case) -> Result<(), String>) {
    let failures: Vec<String> = cases().iter().filter_map(|c| run(c).err()).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases:\n{}",
        failures.len(),
        cases().len(),
        failures.join("\n")
    );
}

#[test]
fn plans_of_every_op_are_right_on_the_host() {
    all(|case| {
        let mut built = case.graph().map_err(|e| format!("{}: {e}", case.name))?;
        let wanted = wanted(&built);
        let want = cpu::evaluate(&built.graph, &feeds(), &wanted).map_err(|e| e.to_string())?;
        for fuse in [false, true] {
            let planned = plan(&mut built.graph, &wanted, fuse).map_err(|e| e.to_string())?;
            let mut program = HostProgram::new(&built.graph, planned, &feeds());
            program.step();
            for (k, (v, want)) in wanted.iter().zip(&want).enumerate() {
                close(
                    &format!("{} value {k} fuse {fuse}", case.name),
                    &program.read(*v),
                    want,
                )?;
            }
        }
        Ok(())
    });
}

#[test]
fn every_op_is_right_on_the_adapter() {
    all(|case| on_device(device(), case, true));
    all(|case| on_device(device(), case, false));
}

#[test]
fn every_op_is_right_with_portable_kernels() {
    all(|case| on_device(portable_device(), case, true));
}
