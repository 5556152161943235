//! Gradients find the elements they belong to whatever is kept as f16 and whatever is computed again. Products
//! read what a plan is to keep as f16, and the host rounds as the plan says, so that no adapter is needed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use samora_engine::models::simclr::{SimclrConfig, pretrain_loss};
use samora_engine::ops::cases::{Case, cases, feeds};
use samora_engine::{
    DType, Gradient, Graph, Init, Lowering, Op, Plan, Planning, Remat, SourceKind, Tensor, Type,
    Value, differentiate, plan,
};
use samora_shaders::{Access, Expr, Leaf, Reduce, Rows, RowsOutput, Scalar, Stage, View};
use samora_tests::cases::{disagreements, run_planned};
use samora_tests::device;
use samora_tests::host::HostProgram;

/// Largest accepted error, relative to the largest element of the value: a few roundings to f16.
const TOLERANCE: f32 = 2e-2;
/// Every policy of what the backward pass computes again.
const REMATS: [Remat; 3] = [Remat::None, Remat::Pointwise, Remat::Blocks];

/// Everything that may be is kept as f16, however small.
fn halves() -> Planning {
    Planning {
        halves: true,
        least_half: 1,
        ..Planning::exact(true)
    }
}

/// Which nodes products read: all, and every other one, so that an op's operands are rounded and its result is
/// not, or the other way round.
const MULTIPLIED: [fn(usize) -> bool; 3] = [|_| true, |n| n % 2 == 0, |n| n % 2 == 1];

/// What is wrong with the cases on the host, under every policy.
fn failures(cases: &[Case]) -> Vec<String> {
    let mut failures = Vec::new();
    for remat in REMATS {
        for (k, multiplied) in MULTIPLIED.iter().enumerate() {
            let graph = |case: &Case| case.graph_with(remat, multiplied);
            let found = disagreements(cases, TOLERANCE, graph, |built, wanted| {
                let planned = plan(&built.graph, wanted, halves()).expect("a plan");
                let mut program = HostProgram::new(&built.graph, planned, &feeds());
                program.step();
                wanted.iter().map(|v| program.read(*v)).collect()
            });
            failures.extend(found.iter().map(|f| format!("{remat:?}, {k}: {f}")));
        }
    }
    failures
}

#[test]
fn every_op_bears_f16_and_recomputation() {
    let failures = failures(&cases());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn every_op_bears_f16_and_recomputation_on_the_adapter() {
    let planning = Planning {
        halves: device().adapter.f16,
        ..halves()
    };
    let graph = |case: &Case| case.graph_with(Remat::Blocks, |_| true);
    let failures = disagreements(&cases(), TOLERANCE, graph, |built, wanted| {
        run_planned(device(), built, wanted, planning)
    });
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// A maximum over the last axis whose gradient goes to the elements that equal it.
#[derive(Debug)]
struct ByEquality;

impl Op for ByEquality {
    fn name(&self) -> &'static str {
        "by_equality"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        Ok(vec![Type::f32(&inputs[0].shape[..1])])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let rows = inputs[0].as_f32().chunks(inputs[0].shape[1]);
        let largest = rows.map(|row| row.iter().copied().fold(f32::MIN, f32::max));
        vec![Tensor::f32(&inputs[0].shape[..1], largest.collect())]
    }

    fn lower(&self, inputs: &[Type], _: &[Type]) -> Lowering {
        let [rows, cols] = [inputs[0].shape[0], inputs[0].shape[1]];
        let access = Access::Strided(View::contiguous(&inputs[0].shape));
        Lowering::Rows(Rows {
            rows: View {
                shape: vec![rows],
                strides: vec![cols],
                offset: 0,
            },
            cols: View::contiguous(&[cols]),
            bindings: Vec::new(),
            leaves: vec![Leaf { buffer: 0, access }],
            expr: Expr {
                nodes: vec![Scalar::Leaf(0), Scalar::Reduced(0)],
            },
            stages: vec![Stage {
                reduce: Reduce::Max,
                value: 0,
            }],
            outputs: vec![RowsOutput::Row {
                buffer: 0,
                value: 1,
            }],
        })
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let [x, y] = [ctx.inputs[0], ctx.outputs[0]];
        let column = [g.shape(x)[0], 1];
        let y = g.reshape(y, &column);
        let largest = g.eq(x, y);
        let dy = ctx.douts[0].map(|dy| g.reshape(dy, &column));
        vec![dy.map(|dy| g.mul(dy, largest))]
    }
}

/// The rule that loses gradients to rounding is found by what the ops are tested with.
#[test]
fn a_rule_that_compares_results_is_found() {
    let by_equality = Case {
        name: "by equality",
        build: |g| {
            let x = g.param("x", &[4, 7], Init::Normal(1.0));
            let x = g.scale(x, 1.25);
            vec![g.push(ByEquality, &[x])]
        },
    };
    let by_place = Case {
        name: "by place",
        build: |g| {
            let x = g.param("x", &[4, 7], Init::Normal(1.0));
            let x = g.scale(x, 1.25);
            vec![g.max(x, &[1])]
        },
    };
    assert!(failures(&[by_place]).is_empty());
    assert!(!failures(&[by_equality]).is_empty());
}

/// Ties share no gradient: one of the equal elements gets all of it.
#[test]
fn one_of_equal_elements_gets_the_gradient() {
    let mut g = Graph::new();
    let x = g.param("x", &[2, 1, 4], Init::Ones);
    let y = g.max(x, &[1, 2]);
    let z = g.maximum(x, x);
    let sums = [g.sum(y, &[0]), g.sum(z, &[0, 1, 2])];
    let loss = g.add(sums[0], sums[1]);
    let gradient = differentiate(&mut g, loss, &[x], Remat::None)[0].unwrap();
    let got = samora_engine::cpu::evaluate(&g, &HashMap::new(), &[gradient]).unwrap();
    assert_eq!(got[0].as_f32(), [2.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0]);
}

/// SimCLR's stem, whose convolution lies before a max-pooling that the next convolutions read as f16.
fn simclr() -> (Graph, Vec<Value>) {
    let config = SimclrConfig {
        blocks: vec![1, 1],
        width: 4,
        selective_kernels: false,
        projection_dim: 8,
    };
    let mut g = Graph::new();
    let views = g.input("views", &[8, 16, 16, 3], DType::F32);
    let loss = pretrain_loss(&mut g, &config, views, 0.5);
    let loss = g.scale(loss, 1024.0);
    let name = "resnet.net.0.0.weight";
    let stem = g.params().find(|p| p.name == name).unwrap().value;
    let gradient = differentiate(&mut g, loss, &[stem], Remat::None)[0].unwrap();
    g.check().unwrap();
    (g, vec![loss, gradient])
}

/// Norm of the stem's gradient of a plan on the host, whatever starts at zero drawn at random.
fn norm(g: &Graph, wanted: &[Value], planned: Plan) -> f64 {
    let drawn = g.sources().iter().filter_map(|s| {
        let shape = g.shape(s.value);
        let tensor = match s.kind {
            SourceKind::Input => Init::Normal(1.0).draw(shape, 1, &s.name),
            SourceKind::Param(Init::Zeros) if s.name.ends_with("weight") => {
                Init::Ones.draw(shape, 1, &s.name)
            }
            _ => return None,
        };
        Some((s.name.clone(), tensor))
    });
    let mut program = HostProgram::new(g, planned, &drawn.collect());
    program.step();
    let gradient = program.read(wanted[1]);
    let squares = (0..gradient.len()).map(|i| gradient.at(i).powi(2));
    squares.sum::<f64>().sqrt()
}

#[test]
fn the_gradient_before_a_max_pooling_is_as_long_with_f16() {
    let (g, wanted) = simclr();
    let exact = plan(&g, &wanted, Planning::exact(true)).unwrap();
    let exact = norm(&g, &wanted, exact);
    let rounded = norm(&g, &wanted, plan(&g, &wanted, halves()).unwrap());
    println!("{exact} in f32, {rounded} with f16");
    assert!((rounded / exact - 1.0).abs() < 0.02, "{exact} {rounded}");
}
