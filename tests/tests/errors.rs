//! Bad input and failing devices arrive as errors that say what and what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::process::Command;

use samora_engine::DeviceOptions;
use samora_engine::gpu::{Device, Program, adapters};
use samora_engine::{DType, Error, Graph, Init, Planning, Result, Tensor, Value, plan};
use samora_tests::device;

/// `y = x·w` for an input x `[2, 3]` and a parameter w `[3, 4]`.
fn product() -> (Graph, Value) {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 3], DType::F32);
    let y = g.within("head", |g| {
        let w = g.param("w", &[3, 4], Init::Zeros);
        g.matmul(x, w)
    });
    (g, y)
}

fn weights(shape: &[usize]) -> BTreeMap<String, Tensor> {
    BTreeMap::from([("head.w".to_string(), Tensor::full(shape, 1.0))])
}

fn program<'d>(device: &'d Device, tensors: &BTreeMap<String, Tensor>) -> Result<Program<'d>> {
    let (g, y) = product();
    Program::new(device, &g, plan(&g, &[y], Planning::exact(true))?, tensors)
}

#[track_caller]
fn assert_says<T>(result: Result<T>, parts: &[&str]) {
    let Err(error) = result else {
        panic!("no error");
    };
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn parameters_must_be_there_and_fit() {
    let missing = program(device(), &BTreeMap::new());
    assert_says(missing, &["tensor head.w: has no value"]);
    let transposed = program(device(), &weights(&[4, 3]));
    assert_says(transposed, &["tensor head.w", "[4, 3]", "[3, 4]"]);
    let labels = Tensor::u32(&[3, 4], vec![0; 12]);
    let labels = BTreeMap::from([("head.w".to_string(), labels)]);
    assert_says(program(device(), &labels), &["head.w", "U32", "F32"]);
    let short = Tensor::f32(&[3, 4], vec![1.0; 11]);
    let short = BTreeMap::from([("head.w".to_string(), short)]);
    assert_says(program(device(), &short), &["head.w", "11 elements"]);
}

#[test]
fn inputs_must_be_named_fed_and_fit() {
    let mut program = program(device(), &weights(&[3, 4])).unwrap();
    let x = Tensor::full(&[2, 3], 1.0);
    assert_says(program.step(&[]), &["tensor x: was never fed"]);
    assert_says(program.step(&[("y", &x)]), &["tensor y", "not an input"]);
    let weight = Tensor::full(&[3, 4], 1.0);
    assert_says(
        program.step(&[("head.w", &weight)]),
        &["head.w", "not an input"],
    );
    let long = Tensor::full(&[3, 3], 1.0);
    assert_says(
        program.step(&[("x", &long)]),
        &["tensor x", "[3, 3]", "[2, 3]"],
    );
    let labels = Tensor::u32(&[2, 3], vec![0; 6]);
    assert_says(program.step(&[("x", &labels)]), &["tensor x", "U32", "F32"]);
    let short = Tensor::f32(&[2, 3], vec![1.0; 5]);
    assert_says(program.step(&[("x", &short)]), &["tensor x", "5 elements"]);
    // None of them harmed the program, and an input keeps its value.
    let (_, y) = product();
    program.step(&[("x", &x)]).unwrap();
    program.step(&[]).unwrap();
    assert_eq!(program.read(y).unwrap(), Tensor::full(&[2, 4], 3.0));
    assert_says(program.tensor("head.v"), &["head.v", "not part"]);
    let input = Value { node: 0, output: 0 };
    assert_says(program.read(input), &["not an output"]);
}

/// Indices that the host gives are checked; those that kernels compute with are clamped anyway.
#[test]
fn indices_stay_within_what_they_index() {
    let mut g = Graph::new();
    let x = g.constant("x", Tensor::f32(&[1, 3], vec![5.0, 6.0, 7.0]));
    let ids = g.input("ids", &[1, 4], DType::U32);
    let picked = g.gather(x, 1, ids);
    // Behind a view the host does not see what is indexed.
    let hidden = g.input("hidden", &[4, 1], DType::U32);
    let hidden = g.reshape(hidden, &[1, 4]);
    let clamped = g.gather(x, 1, hidden);
    let planned = plan(&g, &[picked, clamped], Planning::exact(true)).unwrap();
    let mut program = Program::new(device(), &g, planned, &BTreeMap::new()).unwrap();
    let good = Tensor::u32(&[1, 4], vec![2, 0, 1, 2]);
    let bad = Tensor::u32(&[1, 4], vec![2, 0, 3, 1]);
    let far = Tensor::u32(&[4, 1], vec![0, 3, u32::MAX, 1]);
    assert_says(
        program.step(&[("ids", &bad), ("hidden", &far)]),
        &["tensor ids", "index 3 at element 2", "below 3"],
    );
    program.step(&[("ids", &good), ("hidden", &far)]).unwrap();
    let read = |value| program.read(value).unwrap().as_f32().to_vec();
    assert_eq!(read(picked), [7.0, 5.0, 6.0, 7.0]);
    assert_eq!(read(clamped), [5.0, 7.0, 7.0, 6.0]);

    let mut g = Graph::new();
    let x = g.input("x", &[1, 3], DType::F32);
    let ids = g.constant("ids", bad);
    g.within("here", |g| g.gather(x, 1, ids));
    assert_says(g.check(), &["gather at here", "index 3"]);
}

#[test]
fn values_too_large_to_bind_name_their_place() {
    let limit = device().adapter.caps.binding_bytes;
    let rows = usize::try_from(limit / 4 / 1024).unwrap() + 1;
    let mib = format!("{} MiB", (rows * 4096).div_ceil(1 << 20));
    let build = |stored: bool| {
        let mut g = Graph::new();
        let x = g.input("x", &[if stored { rows } else { 1 }, 1024], DType::F32);
        let y = g.within("image_encoder.blocks.3", |g| {
            let wide = g.broadcast(x, &[rows, 1024]);
            g.gelu(wide)
        });
        let planned = plan(&g, &[y], Planning::exact(true))?;
        Program::new(device(), &g, planned, &BTreeMap::new())
    };
    let advice = "reduce the batch or the image size";
    assert_says(build(true), &["plan: x needs", &mib, advice]);
    assert_says(
        build(false),
        &["plan: image_encoder.blocks.3", &mib, advice],
    );
    device().check().expect("nothing was asked of the device");
}

#[test]
fn mistakes_in_a_graph_stay() {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 3], DType::F32);
    let y = g.within("blocks.1.mlp", |g| g.matmul(x, x));
    // Building goes on from the placeholder.
    let z = g.softmax(y);
    for wanted in [z, x] {
        let error = plan(&g, &[wanted], Planning::exact(true)).expect_err("it cannot be planned");
        let Error::Graph { op, scope, message } = error else {
            panic!("{error}");
        };
        assert_eq!((op, scope.as_str()), ("matmul", "blocks.1.mlp"));
        assert!(message.contains("[2, 3]"), "{message}");
    }
}

#[test]
fn only_parameters_and_state_are_assigned_and_once() {
    type Build = fn(&mut Graph, Value, Value) -> ();
    let mistakes: [(&str, Build); 4] = [
        ("neither parameter nor state", |g, x, w| g.assign(x, w)),
        ("computed", |g, x, w| {
            let y = g.gelu(x);
            g.assign(y, w);
        }),
        ("twice", |g, x, w| {
            g.assign(w, x);
            g.assign(w, x);
        }),
        ("cannot store", |g, x, w| {
            let total = g.sum(x, &[0]);
            g.assign(w, total);
        }),
    ];
    for (part, build) in mistakes {
        let mut g = Graph::new();
        let x = g.input("x", &[2, 3], DType::F32);
        let w = g.param("w", &[2, 3], Init::Zeros);
        build(&mut g, x, w);
        assert_says(g.check(), &["assign", part]);
    }
}

#[test]
fn sizes_that_kernels_cannot_index_are_mistakes() {
    for shape in [&[0usize, 3][..], &[1 << 20, 1 << 12], &[usize::MAX, 2]] {
        let mut g = Graph::new();
        g.input("x", shape, DType::F32);
        assert_says(g.check(), &["source", &format!("{shape:?}")]);
    }
}

#[test]
fn an_unknown_adapter_is_answered_with_the_known_ones() {
    let adapter = Some("no such adapter".to_string());
    let options = DeviceOptions {
        adapter,
        ..DeviceOptions::default()
    };
    let known = adapters();
    let names: Vec<&str> = known.iter().map(|a| a.summary.info.name.as_str()).collect();
    let parts = [&["`no such adapter`"], names.as_slice()].concat();
    assert_says(Device::open(&options), &parts);
}

#[test]
fn a_lost_device_fails_steps_and_reads() {
    let adapter = std::env::var("SAMORA_ADAPTER").ok();
    let options = DeviceOptions {
        adapter,
        ..DeviceOptions::default()
    };
    let device = Device::open(&options).unwrap();
    let mut program = program(&device, &weights(&[3, 4])).unwrap();
    let x = Tensor::full(&[2, 3], 1.0);
    program.step(&[("x", &x)]).unwrap();
    device.raw().0.destroy();
    let step = program.step(&[("x", &x)]);
    assert!(matches!(step, Err(Error::Device(_))), "{step:?}");
    let read = program.tensor("head.w");
    assert!(matches!(read, Err(Error::Device(_))), "{read:?}");
}

/// Set in the child that [`without_any_adapter_the_cure_is_named`] starts.
const CHILD: &str = "SAMORA_TEST_WITHOUT_ADAPTER";

/// Where Vulkan is the only backend and its drivers can be hidden.
#[cfg(target_os = "linux")]
#[test]
fn without_any_adapter_the_cure_is_named() {
    if std::env::var_os(CHILD).is_some() {
        assert!(adapters().is_empty());
        let opened = Device::open(&DeviceOptions::default());
        return assert_says(opened, &["no Vulkan", "mesa-vulkan-drivers"]);
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "without_any_adapter_the_cure_is_named"])
        .env(CHILD, "1")
        .env("VK_DRIVER_FILES", "/dev/null")
        .env("VK_ICD_FILENAMES", "/dev/null")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}"
    );
}
