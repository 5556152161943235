//! The native device: every op's cases, random graphs, networks and a training step agree with the reference, and
//! the number of threads changes no byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::num::NonZero;
use std::sync::OnceLock;

use samora_engine::native::{Device, Program};
use samora_engine::ops::cases::{CaseGraph, cases, feeds};
use samora_engine::{DType, Error, Graph, Init, Remat, Tensor, Value, cpu, differentiate, plan};
use samora_tests::cases::{compare, parameters};
use samora_tests::training::Training;

/// Largest accepted error, relative to the largest element of the value.
const TOLERANCE: f32 = 2e-4;

fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| with_threads(2))
}

fn with_threads(threads: usize) -> Device {
    Device::new(NonZero::new(threads)).expect("threads")
}

/// Everything wanted of a case after one step.
fn run(device: &Device, built: &CaseGraph, wanted: &[Value], fuse: bool) -> Vec<Tensor> {
    let planned = plan(&built.graph, wanted, device.planning(fuse)).expect("a plan");
    let parameters = parameters(&built.graph);
    let mut program = Program::new(device, &built.graph, planned, &parameters).expect("a program");
    let feeds = feeds();
    let used = built.graph.sources().iter().map(|s| &s.name);
    let inputs: Vec<(&str, &Tensor)> = used
        .filter_map(|name| Some((name.as_str(), feeds.get(name)?)))
        .collect();
    program.step(&inputs).expect("a step");
    let read = |v: &Value| program.read(*v).expect("a value");
    wanted.iter().map(read).collect()
}

#[test]
fn fused_plans_agree_with_the_reference() {
    compare(TOLERANCE, |built, wanted| {
        run(device(), built, wanted, true)
    });
}

#[test]
fn unfused_plans_agree_with_the_reference() {
    compare(TOLERANCE, |built, wanted| {
        run(device(), built, wanted, false)
    });
}

#[test]
fn any_number_of_threads_gives_the_same_bytes_in_every_case() {
    let devices = [1, 2, 5].map(with_threads);
    for case in cases() {
        let built = case.graph().unwrap();
        let gradients = built.gradients.iter().flatten();
        let all = built.outputs.iter().chain([&built.loss]).chain(gradients);
        let wanted: Vec<Value> = all.copied().collect();
        let [one, two, five] = devices.each_ref().map(|d| run(d, &built, &wanted, true));
        assert_eq!(bytes(&one), bytes(&two), "{}", case.name);
        assert_eq!(bytes(&one), bytes(&five), "{}", case.name);
    }
}

/// Losses, parameters and state of a few training steps.
fn train(device: &Device, training: &Training) -> Vec<Tensor> {
    let planned = plan(&training.graph, &[training.loss], device.planning(true)).unwrap();
    let parameters = training.parameters();
    let mut program = Program::new(device, &training.graph, planned, &parameters).unwrap();
    let mut all = Vec::new();
    for step in 0..3 {
        let inputs = training.inputs(step);
        let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (*n, t)).collect();
        program.step(&inputs).unwrap();
        all.push(program.read(training.loss).unwrap());
    }
    let changing = training.changing();
    all.extend(changing.iter().map(|name| program.tensor(name).unwrap()));
    all
}

#[test]
fn training_gives_the_same_bytes_on_any_number_of_threads_and_again() {
    let training = Training::new(Remat::None, |_| true);
    let one = train(&with_threads(1), &training);
    for threads in [1, 2, 5] {
        let again = train(&with_threads(threads), &training);
        assert_eq!(bytes(&one), bytes(&again), "{threads} threads");
    }
}

/// Kernels of many pieces: products deeper than a pass, rows longer than a block, many short rows, and sums over
/// rows and columns, forward and backward.
#[test]
fn large_kernels_agree_with_the_reference_on_any_number_of_threads() {
    let mut g = Graph::new();
    let x = g.param("x", &[2, 150, 300], Init::Normal(1.0));
    let [w, v] = [("w", 1100), ("v", 9)]
        .map(|(name, width)| g.param(name, &[300, width], Init::Normal(0.05)));
    let [wide, short] = [w, v].map(|weight| g.matmul(x, weight));
    let bias = g.param("bias", &[1100], Init::Normal(1.0));
    let wide = g.add(wide, bias);
    let wide = g.gelu(wide);
    let wide = g.softmax(wide);
    let gram = g.transpose(wide);
    let gram = g.matmul(wide, gram);
    let columns = g.sum(gram, &[1]);
    let short = g.softmax(short);
    let most = g.max(short, &[1]);
    let squares = g.mul(gram, gram);
    let parts = [columns, most, squares].map(|part| {
        let axes: Vec<usize> = (0..g.shape(part).len()).collect();
        g.mean(part, &axes)
    });
    let loss = g.add(parts[0], parts[1]);
    let loss = g.add(loss, parts[2]);
    let gradients = differentiate(&mut g, loss, &[x, w, v, bias], Remat::None);
    let wanted: Vec<Value> = gradients.into_iter().flatten().chain([loss]).collect();
    assert_eq!(wanted.len(), 5);
    let want = cpu::evaluate(&g, &feeds(), &wanted).unwrap();
    let results = [1, 2, 5].map(|threads| {
        let planned = plan(&g, &wanted, device().planning(true)).unwrap();
        let device = with_threads(threads);
        let mut program = Program::new(&device, &g, planned, &parameters(&g)).unwrap();
        program.step(&[]).unwrap();
        let read = |v: &Value| program.read(*v).unwrap();
        wanted.iter().map(read).collect::<Vec<Tensor>>()
    });
    for (k, (got, want)) in results[0].iter().zip(&want).enumerate() {
        let scale = want.as_f32().iter().fold(0.0f32, |m, x| m.max(x.abs()));
        for (i, (a, b)) in got.as_f32().iter().zip(want.as_f32()).enumerate() {
            let close = (a - b).abs() <= TOLERANCE * scale;
            assert!(close, "value {k}[{i}] is {a}, the reference says {b}");
        }
    }
    assert_eq!(bytes(&results[0]), bytes(&results[1]));
    assert_eq!(bytes(&results[0]), bytes(&results[2]));
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 3], DType::F32);
    let ids = g.input("ids", &[1, 4], DType::U32);
    let w = g.param("w", &[1, 5, 3], Init::Normal(1.0));
    let rows = g.gather(w, 1, ids);
    let rows = g.sum(rows, &[1]);
    let y = g.add(x, rows);
    let program = |parameters| {
        let planned = plan(&g, &[y], device().planning(true)).unwrap();
        Program::new(device(), &g, planned, &parameters)
    };
    let named = |error: Error, name: &str, part: &str| {
        let message = error.to_string();
        assert!(matches!(error, Error::Tensor { .. }), "{error:?}");
        assert!(
            message.contains(name) && message.contains(part),
            "{message}"
        );
    };
    named(program(Default::default()).unwrap_err(), "w", "no value");
    let wrong = [("w".to_string(), Tensor::full(&[3], 1.0))];
    named(program(wrong.into()).unwrap_err(), "w", "[1, 5, 3]");
    let mut program = program(parameters(&g)).unwrap();
    let fits = Tensor::full(&[2, 3], 1.0);
    let good = Tensor::u32(&[1, 4], vec![0, 4, 2, 2]);
    let beyond = Tensor::u32(&[1, 4], vec![0, 5, 2, 2]);
    let mut step = |inputs: &[(&str, &Tensor)]| program.step(inputs);
    named(step(&[("x", &fits)]).unwrap_err(), "ids", "never fed");
    named(step(&[("w", &fits)]).unwrap_err(), "w", "not an input");
    named(step(&[("x", &good)]).unwrap_err(), "x", "U32");
    named(step(&[("ids", &beyond)]).unwrap_err(), "ids", "index 5");
    step(&[("x", &fits), ("ids", &good)]).unwrap();
    step(&[]).unwrap();
    named(program.tensor("z").unwrap_err(), "z", "not part");
    let before = program.tensor("w").unwrap();
    assert_eq!(before, parameters(&g)["w"]);
    assert!(matches!(program.read(ids).unwrap_err(), Error::Plan(_)));
}

fn bytes(tensors: &[Tensor]) -> Vec<&[u8]> {
    tensors.iter().map(Tensor::bytes).collect()
}
