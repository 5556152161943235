//! What must stay true of programs on the adapter: same bytes from the same start, nothing created
//! within a step, and the same numbers however a step is fused or recomputed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};

use samora_engine::DeviceOptions;
use samora_engine::gpu::{Device, Program};
use samora_engine::optim::Rule;
use samora_engine::{Planning, Remat, Tensor, Value, cpu, differentiate, plan};
use samora_tests::device;
use samora_tests::training::{Training, is_expert, small_encoder};

type Tensors = BTreeMap<String, Tensor>;

fn program(training: &Training, tensors: &Tensors, fuse: bool) -> Program<'static> {
    let planning = device().planning(fuse);
    let planned = plan(&training.graph, &[training.loss], planning).expect("a plan");
    Program::new(device(), &training.graph, planned, tensors).expect("a program")
}

/// Runs some steps and returns the loss of each.
fn run(program: &mut Program<'_>, training: &Training, steps: std::ops::Range<usize>) -> Vec<f32> {
    let one = |step| {
        let inputs = training.inputs(step);
        let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (*n, t)).collect();
        program.step(&inputs).expect("a step");
        program.read(training.loss).expect("the loss").as_f32()[0]
    };
    steps.map(one).collect()
}

/// Everything that changes between steps.
fn changing(program: &Program<'_>, training: &Training) -> Tensors {
    let read = |name: String| {
        let tensor = program.tensor(&name).expect("a tensor");
        (name, tensor)
    };
    training.changing().into_iter().map(read).collect()
}

fn assert_same_bytes(a: &Tensors, b: &Tensors) {
    assert!(!a.is_empty() && a.keys().eq(b.keys()));
    for (name, tensor) in a {
        assert_eq!(tensor.bytes(), b[name].bytes(), "{name}");
    }
}

fn assert_close(a: &Tensors, b: &Tensors, what: &str) {
    assert!(!a.is_empty() && a.keys().eq(b.keys()), "{what}");
    for (name, tensor) in a {
        assert_eq!(tensor.shape, b[name].shape, "{what}: {name}");
        let want = b[name].as_f32();
        let scale = want.iter().fold(1e-5f32, |m, x| m.max(x.abs()));
        for (i, (x, y)) in tensor.as_f32().iter().zip(want).enumerate() {
            let close = (x - y).abs() <= 1e-3 * scale;
            assert!(close, "{what}: {name}[{i}] is {x}, not {y}");
        }
    }
}

#[test]
fn reruns_and_resumed_runs_are_identical() {
    let training = Training::new(Remat::Pointwise, |_| true);
    let start = training.parameters();
    let mut whole = program(&training, &start, true);
    let losses = run(&mut whole, &training, 0..6);
    let end = changing(&whole, &training);
    for name in &training.trained {
        let unchanged = end[name] == start[name];
        assert!(!unchanged, "{name} is not trained");
    }

    let mut again = program(&training, &start, true);
    assert_eq!(run(&mut again, &training, 0..6), losses);
    assert_same_bytes(&changing(&again, &training), &end);

    let mut first = program(&training, &start, true);
    let mut pieces = run(&mut first, &training, 0..4);
    let mut saved = start.clone();
    saved.extend(changing(&first, &training));
    drop(first);
    let mut second = program(&training, &saved, true);
    pieces.extend(run(&mut second, &training, 4..6));
    assert_eq!(pieces, losses);
    assert_same_bytes(&changing(&second, &training), &end);
}

/// Another seed gives other noise, so that the test above compares something random.
#[test]
fn the_seed_matters() {
    let training = Training::new(Remat::None, is_expert);
    let losses = [1, 2].map(|seed| {
        let mut program = program(&training, &training.parameters(), true);
        let inputs = training.inputs(0);
        let random = Tensor::u32(&[2], vec![seed, 0]);
        let step = program.step(&[("image", &inputs[0].1), ("random", &random)]);
        step.expect("a step");
        program.read(training.loss).expect("the loss").as_f32()[0]
    });
    assert_ne!(losses[0], losses[1]);
}

#[test]
fn steps_create_nothing_on_the_device() {
    // A device of its own: other tests create objects meanwhile.
    let adapter = std::env::var("SAMORA_ADAPTER").ok();
    let options = DeviceOptions {
        adapter,
        ..Default::default()
    };
    let device = Device::open(&options).expect("a device");
    let training = Training::new(Remat::None, |_| true);
    let planned = plan(&training.graph, &[training.loss], Planning::exact(true)).expect("a plan");
    let before = device.created();
    let mut program =
        Program::new(&device, &training.graph, planned, &training.parameters()).expect("a program");
    assert!(device.created() > before + program.schedule().steps.len());
    run(&mut program, &training, 0..2);
    let (created, allocations) = (device.created(), device.allocations());
    assert!(allocations.is_some_and(|n| n > 0), "the backend tells");
    for step in 2..8 {
        let inputs = training.inputs(step);
        let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (*n, t)).collect();
        program.step(&inputs).expect("a step");
        // The step is still running: what it needs is alive.
        assert_eq!(device.created(), created);
        assert_eq!(device.allocations(), allocations);
        if step % 3 == 0 {
            program.read(training.loss).expect("the loss");
            assert_eq!(device.created(), created);
            assert_eq!(device.allocations(), allocations);
        }
    }
}

/// By SGD: where a gradient is zero but for rounding, as that of a key's bias is, AdamW would take a
/// full step in the direction of the rounding.
#[test]
fn fusion_and_recomputation_change_only_rounding() {
    let rule = Rule::Sgd {
        momentum: 0.9,
        weight_decay: 0.0,
    };
    let mut want: Option<Tensors> = None;
    for remat in [Remat::None, Remat::Pointwise, Remat::Blocks] {
        let training = Training::by(rule, remat, |_| true);
        for fuse in [false, true] {
            let mut program = program(&training, &training.parameters(), fuse);
            run(&mut program, &training, 0..2);
            let got = changing(&program, &training);
            match &want {
                None => want = Some(got),
                Some(want) => assert_close(&got, want, &format!("{remat:?} fuse {fuse}")),
            }
        }
    }
}

/// With everything frozen but the expert, every block's expert has the gradient the reference says,
/// and it is not zero.
#[test]
fn expert_gradients_reach_every_block() {
    let mut training = Training::forward();
    let g = &mut training.graph;
    let expert: Vec<(String, Value)> = g
        .params()
        .filter(|p| is_expert(&p.name))
        .map(|p| (p.name.clone(), p.value))
        .collect();
    assert_eq!(expert.len(), 5 * small_encoder().depth);
    let values: Vec<Value> = expert.iter().map(|p| p.1).collect();
    let gradients = differentiate(g, training.loss, &values, Remat::None);
    let wanted: Vec<Value> = gradients
        .into_iter()
        .map(|v| v.expect("a gradient"))
        .collect();
    let tensors = training.parameters();
    let inputs = training.inputs(0);
    let mut feeds: HashMap<String, Tensor> = tensors.clone().into_iter().collect();
    feeds.extend(inputs.iter().map(|(n, t)| ((*n).to_string(), t.clone())));
    let want = cpu::evaluate(&training.graph, &feeds, &wanted).expect("the reference");
    let planned = plan(&training.graph, &wanted, Planning::exact(true)).expect("a plan");
    let mut program =
        Program::new(device(), &training.graph, planned, &tensors).expect("a program");
    let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (*n, t)).collect();
    program.step(&inputs).expect("a step");
    let named = |tensors: Vec<Tensor>| -> Tensors {
        let names = expert.iter().map(|p| p.0.clone());
        names.zip(tensors).collect()
    };
    let got = wanted.iter().map(|v| program.read(*v).expect("a value"));
    let (got, want) = (named(got.collect()), named(want));
    assert_close(&got, &want, "gradient");
    for (name, gradient) in &want {
        let largest = gradient.as_f32().iter().fold(0f32, |m, x| m.max(x.abs()));
        assert!(largest > 1e-5, "{name} has gradients of at most {largest}");
    }
}
