//! Random graphs with gradients and updates: plans run through the element reference give what the
//! graph's own reference gives, step after step. Slots start as NaN and keep what earlier kernels
//! left, so two values that shared a slot while both are alive would show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::num::NonZero;

use samora_engine::Precision;
use samora_engine::random::Stream;
use samora_engine::{
    Graph, Init, Planning, Remat, Source, SourceKind, Tensor, Value, cpu, differentiate, native,
    plan,
};
use samora_tests::host::HostProgram;

const GRAPHS: u64 = 60;
const OPS: usize = 24;
const STEPS: usize = 2;

/// For GPUs.
fn planning(fuse: bool) -> Planning {
    Precision::Exact.planning(fuse)
}

/// A graph and what is read after each step.
struct Random {
    graph: Graph,
    wanted: Vec<Value>,
}

/// Appends `OPS` random ops, the gradients of a random loss and updates of all parameters and state.
fn random_graph(seed: u64) -> Random {
    let mut rng = Stream::named(seed, "graph");
    let mut g = Graph::new();
    let params = [("a", [4, 6]), ("b", [6, 4]), ("c", [4, 6])]
        .map(|(name, shape)| g.param(name, &shape, Init::Normal(1.0)));
    let state = g.state("state", Init::Normal(1.0).draw(&[4, 6], seed, "state"));
    let mut pool = params.to_vec();
    pool.push(state);
    for k in 0..OPS {
        let block = format!("blocks.{}", k * 4 / OPS);
        let value = g.within(block, |g| random_op(g, &mut rng, &pool));
        pool.push(value);
    }
    let pick = |rng: &mut Stream| pool[pool.len() - 1 - rng.below(pool.len() / 2)];
    let mut loss = g.scalar(0.0);
    for _ in 0..3 {
        let chosen = pick(&mut rng);
        let squared = g.square(chosen);
        let total = g.mean(squared, &[0, 1]);
        loss = g.add(loss, total);
    }
    let remat = [Remat::None, Remat::Pointwise, Remat::Blocks][rng.below(3)];
    let gradients = differentiate(&mut g, loss, &params, remat);
    let mut wanted = vec![loss, pick(&mut rng), params[rng.below(3)]];
    for (param, gradient) in params.iter().zip(gradients) {
        if let Some(gradient) = gradient {
            let change = g.scale(gradient, -0.1);
            let new = g.add(*param, change);
            g.assign(*param, new);
            wanted.push(gradient);
        }
    }
    // An old value, a computed one, or one that is stored twice.
    let next = pool
        .iter()
        .filter(|v| g.shape(**v) == [4, 6])
        .copied()
        .collect::<Vec<_>>();
    let next = next[rng.below(next.len())];
    if next != state {
        g.assign(state, next);
    }
    Random { graph: g, wanted }
}

fn random_op(g: &mut Graph, rng: &mut Stream, pool: &[Value]) -> Value {
    let x = pool[rng.below(pool.len())];
    let shape = g.shape(x).to_vec();
    let alike: Vec<Value> = pool
        .iter()
        .filter(|v| g.shape(**v) == shape)
        .copied()
        .collect();
    let y = alike[rng.below(alike.len())];
    match rng.below(14) {
        0 => g.add(x, y),
        1 => {
            let product = g.mul(x, y);
            g.tanh(product)
        }
        2 => g.gelu(x),
        3 => g.softmax(x),
        4 => g.transpose(x),
        5 => {
            let total = g.mean(x, &[1]);
            let column = g.reshape(total, &[shape[0], 1]);
            g.sub(x, column)
        }
        6 => {
            let total = g.sum(x, &[0]);
            let scaled = g.tanh(total);
            g.mul(x, scaled)
        }
        7 => {
            let t = g.transpose(y);
            let product = g.matmul(x, t);
            let small = g.scale(product, 0.2);
            let mixed = g.matmul(small, x);
            g.tanh(mixed)
        }
        8 => {
            let (left, right) = (g.slice(x, 1, 0, 2), g.slice(y, 1, 2, shape[1] - 2));
            g.concat(&[right, left], 1)
        }
        9 => g.maximum(x, y),
        10 => {
            let axis = rng.below(2);
            let largest = g.max(x, &[axis]);
            let largest = g.tanh(largest);
            let mut kept = shape.clone();
            kept[axis] = 1;
            let largest = g.reshape(largest, &kept);
            g.mul(x, largest)
        }
        11 => {
            let (up, down) = (g.relu(x), g.abs(y));
            g.sub(up, down)
        }
        12 => {
            let t = g.transpose(x);
            g.reshape(t, &shape)
        }
        _ => g.l2_normalize(x, 1e-6),
    }
}

fn feeds(g: &Graph) -> HashMap<String, Tensor> {
    let start = |s: &Source| {
        let tensor = match &s.kind {
            samora_engine::SourceKind::State(start) => start.clone(),
            _ => Init::Normal(1.0).draw(g.shape(s.value), 0, &s.name),
        };
        (s.name.clone(), tensor)
    };
    g.sources().iter().map(start).collect()
}

/// What the graph means for a step: wanted values, and sources after it.
fn reference(
    random: &Random,
    feeds: &HashMap<String, Tensor>,
) -> (Vec<Tensor>, HashMap<String, Tensor>) {
    let g = &random.graph;
    let new: Vec<Value> = g.assigns().iter().map(|a| a.1).collect();
    let all = [random.wanted.clone(), new].concat();
    let mut values = cpu::evaluate(g, feeds, &all).expect("the reference");
    let new = values.split_off(random.wanted.len());
    let mut after = feeds.clone();
    for ((target, _), tensor) in g.assigns().iter().zip(new) {
        let source = g.sources().iter().find(|s| s.value == *target).unwrap();
        after.insert(source.name.clone(), tensor);
    }
    (values, after)
}

fn close(got: &Tensor, want: &Tensor, what: &str) {
    assert_eq!(got.shape, want.shape, "{what}");
    let scale = want.as_f32().iter().fold(1e-2f32, |m, x| m.max(x.abs()));
    for (i, (a, b)) in got.as_f32().iter().zip(want.as_f32()).enumerate() {
        let close = (a - b).abs() <= 1e-3 * scale;
        assert!(close, "{what}[{i}]: {a} instead of {b}");
    }
}

#[test]
fn plans_of_random_graphs_give_what_the_graphs_mean() {
    let mut shared = 0;
    for seed in 0..GRAPHS {
        let random = random_graph(seed);
        let g = &random.graph;
        for fuse in [false, true] {
            let planned = plan(g, &random.wanted, planning(fuse)).expect("a plan");
            let outputs: usize = planned.steps.iter().map(|s| s.bound.len()).sum();
            shared += usize::from(planned.slots.len() < outputs);
            let mut state = feeds(g);
            let mut program = HostProgram::new(g, planned, &state);
            for step in 0..STEPS {
                let (want, after) = reference(&random, &state);
                program.step();
                for (k, (v, want)) in random.wanted.iter().zip(&want).enumerate() {
                    let what = format!("graph {seed} fuse {fuse} step {step} value {k}");
                    close(&program.read(*v), want, &what);
                }
                for (name, want) in &after {
                    let what = format!("graph {seed} fuse {fuse} step {step} {name}");
                    close(&program.source(name), want, &what);
                }
                state = after;
            }
        }
    }
    assert!(shared > 0, "no plan reuses a slot");
}

/// The same on the processor, by its own plans.
#[test]
fn random_graphs_on_the_processor_give_what_they_mean() {
    let device = native::Device::new(NonZero::new(2)).unwrap();
    for seed in 0..GRAPHS {
        let random = random_graph(seed);
        let g = &random.graph;
        for fuse in [false, true] {
            let planned = plan(g, &random.wanted, device.planning(fuse)).expect("a plan");
            let mut state = feeds(g);
            let tensors = state.clone().into_iter().collect();
            let mut program = native::Program::new(&device, g, planned, &tensors).unwrap();
            let inputs = g.sources().iter();
            let inputs = inputs.filter(|s| matches!(s.kind, SourceKind::Input));
            let inputs: Vec<(&str, &Tensor)> = inputs
                .map(|s| (s.name.as_str(), &tensors[&s.name]))
                .collect();
            for step in 0..STEPS {
                let (want, after) = reference(&random, &state);
                program.step(&inputs).unwrap();
                for (k, (v, want)) in random.wanted.iter().zip(&want).enumerate() {
                    let what = format!("graph {seed} fuse {fuse} step {step} value {k}");
                    close(&program.read(*v).unwrap(), want, &what);
                }
                for (target, _) in g.assigns() {
                    let source = g.sources().iter().find(|s| s.value == *target);
                    let name = &source.unwrap().name;
                    let what = format!("graph {seed} fuse {fuse} step {step} {name}");
                    close(&program.tensor(name).unwrap(), &after[name], &what);
                }
                state = after;
            }
        }
    }
}

/// Assignments happen at once: each sees the others' targets from before the step.
#[test]
fn assignments_see_old_values() {
    let start = |x| Tensor::f32(&[2], vec![x, x + 0.5]);
    let mut g = Graph::new();
    let [a, b, c, d] =
        [("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0)].map(|(n, x)| g.state(n, start(x)));
    let sum = g.add(a, c);
    g.assign(a, b);
    g.assign(b, a);
    g.assign(c, sum);
    g.assign(d, sum);
    for fuse in [false, true] {
        let planned = plan(&g, &[a, sum], planning(fuse)).expect("a plan");
        let mut program = HostProgram::new(&g, planned, &HashMap::new());
        program.step();
        assert_eq!(program.read(a), start(1.0));
        assert_eq!(program.source("a"), start(2.0));
        assert_eq!(program.source("b"), start(1.0));
        assert_eq!(program.source("c"), Tensor::f32(&[2], vec![4.0, 5.0]));
        assert_eq!(program.source("d"), Tensor::f32(&[2], vec![4.0, 5.0]));
        program.step();
        assert_eq!(program.source("a"), start(1.0));
        assert_eq!(program.source("c"), Tensor::f32(&[2], vec![6.0, 7.5]));
    }
}

/// An update that reads its target at other elements than the one it writes is made elsewhere first.
#[test]
fn updates_that_read_elsewhere_are_not_in_place() {
    let mut g = Graph::new();
    let w = g.state("w", Tensor::f32(&[2, 2], vec![1.0, 2.0, 3.0, 4.0]));
    let transposed = g.transpose(w);
    let sum = g.add(w, transposed);
    g.assign(w, sum);
    for fuse in [false, true] {
        let planned = plan(&g, &[], planning(fuse)).expect("a plan");
        assert_eq!(planned.copies.len(), 1);
        let mut program = HostProgram::new(&g, planned, &HashMap::new());
        program.step();
        let want = Tensor::f32(&[2, 2], vec![2.0, 5.0, 5.0, 8.0]);
        assert_eq!(program.source("w"), want);
    }
}
