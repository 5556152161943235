#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use samora_shaders::{
    Access, Binding, BufferType, Caps, Expr, Kernel, Leaf, Map, Output, Scalar, Shader, Unary,
    View, emit,
};

use super::pipeline::{pipeline, pipelines};
use super::selftest::{Candidate, Passed};
use super::textures::Textures;
use super::tuning::Tuning;
use super::*;
use crate::{DeviceOptions, Error, Place, Result, Step, Tune};

const LEN: usize = 37;

fn device(cache: Option<PathBuf>) -> Device {
    let adapter = std::env::var("SAMORA_ADAPTER").ok();
    let options = DeviceOptions {
        adapter,
        cache,
        ..DeviceOptions::default()
    };
    Device::open(&options).unwrap_or_else(|e| panic!("{e}"))
}

/// `y = f(x)` over [`LEN`] elements.
fn unary(f: Unary) -> Kernel {
    let mut expr = Expr::default();
    let x = expr.push(Scalar::Leaf(0));
    let value = expr.push(Scalar::Unary(f, x));
    let access = Access::Strided(View::contiguous(&[LEN]));
    let binding = |write| Binding {
        ty: BufferType::F32,
        write,
    };
    Kernel::Map(Map {
        len: LEN,
        bindings: vec![binding(false), binding(true)],
        leaves: vec![Leaf { buffer: 0, access }],
        expr,
        outputs: vec![Output { buffer: 1, value }],
    })
}

/// Tests a module that computes `actual` as if it were the kernel `claimed`.
fn selftest(device: &Device, actual: Unary, claimed: Unary) -> Result<()> {
    let shader = emit(&unary(actual), &device.adapter.caps);
    let candidate = Candidate {
        shader: &shader,
        kernel: &unary(claimed),
        label: "test",
        lens: vec![LEN; 2],
    };
    let mut passed = Passed::load(device);
    let pipelines = pipelines(device, &[(&shader, "test")])?;
    let result = passed.check(device, &[candidate], &pipelines);
    passed.save();
    result
}

#[test]
fn wrong_results_are_refused_with_the_kernel_and_adapter() {
    let device = device(None);
    selftest(&device, Unary::Exp, Unary::Exp).expect("a right kernel passes");
    let error = selftest(&device, Unary::Exp, Unary::Sin).expect_err("a wrong one does not");
    let Error::Adapter(message) = error else {
        panic!("{error:?}");
    };
    for part in [
        "kernel map",
        &device.adapter.info.name,
        "miscompiles",
        "--adapter",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn kernels_that_passed_are_not_run_again() {
    let folder = std::env::temp_dir().join(format!("samora-selftest-{}", std::process::id()));
    let opened = || device(Some(folder.clone()));
    assert!(selftest(&opened(), Unary::Exp, Unary::Sin).is_err());
    selftest(&opened(), Unary::Exp, Unary::Exp).expect("a right kernel passes");
    // The same module would fail now if it ran.
    let again = selftest(&opened(), Unary::Exp, Unary::Sin);
    let other = selftest(&opened(), Unary::Cos, Unary::Sin);
    fs::write(folder.join("selftest.txt"), "not a hash\n").unwrap();
    let damaged = selftest(&opened(), Unary::Exp, Unary::Sin);
    fs::remove_dir_all(&folder).unwrap();
    again.expect("remembered");
    assert!(other.is_err(), "another module is not covered");
    assert!(damaged.is_err(), "a damaged file remembers nothing");
}

/// A product large enough to come in variants.
fn product() -> Step {
    let mut g = crate::Graph::new();
    let [a, b] = ["a", "b"].map(|name| g.input(name, &[512, 512], crate::DType::F32));
    let b = g.slice(b, 1, 0, 256);
    let product = g.matmul(a, b);
    let plan = crate::plan(&g, &[product], crate::Planning::exact(true)).unwrap();
    plan.steps[0].clone()
}

/// A device with the kernels meant for GPUs.
fn tuned(folder: &Path, tune: Tune) -> Device {
    let mut device = device(Some(folder.to_path_buf()));
    device.options.tune = tune;
    device.adapter.caps = Caps::portable();
    device
}

fn choose(device: &Device) -> Result<Shader> {
    let step = product();
    let mut tuning = Tuning::load(device)?;
    let chosen = tuning.choose(device, &step);
    tuning.save(device)?;
    Ok(chosen)
}

#[test]
fn the_fastest_variant_is_measured_once_and_kept() {
    let folder = std::env::temp_dir().join(format!("samora-tuning-{}", std::process::id()));
    let file = folder.join("tuning.ron");
    let choose = |tune| choose(&tuned(&folder, tune)).unwrap().source;
    let all = samora_shaders::variants(&product().kernel, &Caps::portable());
    assert!(all.len() > 3);
    let names: HashSet<&str> = all.iter().map(|shader| &*shader.variant).collect();
    assert_eq!(names.len(), all.len(), "two variants of one name");
    let by_rule = all[0].source.clone();
    assert_eq!(choose(Tune::Read), by_rule);
    assert!(!file.exists());
    let fastest = choose(Tune::Write);
    let text = fs::read_to_string(&file).unwrap();
    let read = choose(Tune::Read);
    let off = choose(Tune::Off);
    let elsewhere = text.replace("naga", "another compiler");
    fs::write(&file, &elsewhere).unwrap();
    let other = choose(Tune::Read);
    choose(Tune::Write);
    let both = fs::read_to_string(&file).unwrap();
    fs::write(&file, "(damaged").unwrap();
    let damaged = choose(Tune::Read);
    fs::remove_dir_all(&folder).unwrap();
    assert!(text.contains("gemm 1x512x256x512"), "{text}");
    assert!(text.contains("milliseconds"), "{text}");
    assert!(!text.contains("None"), "a variant is wrong: {text}");
    assert_eq!(read, fastest);
    assert_eq!(off, by_rule);
    assert_eq!(other, by_rule, "measured with another compiler");
    for part in ["naga", "another compiler"] {
        assert!(both.contains(part), "{both}");
    }
    assert_eq!(damaged, by_rule);
}

/// A run that was interrupted goes on with the kernels it began with, whatever was measured meanwhile.
#[test]
fn a_run_keeps_to_its_variants() {
    let folder = std::env::temp_dir().join(format!("samora-pins-{}", std::process::id()));
    let [run, tuning] = ["kernels.ron", "tuning.ron"].map(|name| folder.join(name));
    fs::create_dir_all(&folder).unwrap();
    let all = samora_shaders::variants(&product().kernel, &Caps::portable());
    let device = tuned(&folder, Tune::Read);
    let pinned = || {
        let device = tuned(&folder, Tune::Read);
        device.pin(&run);
        choose(&device)
    };
    assert_eq!(pinned().unwrap().variant, all[0].variant);
    let text = fs::read_to_string(&run).unwrap();
    assert!(text.contains(&all[0].variant), "{text}");
    // Another process finds the second variant to be the fastest.
    choose(&tuned(&folder, Tune::Write)).unwrap();
    let measured = fs::read_to_string(&tuning).unwrap();
    let at = measured.find("fastest: \"").unwrap() + "fastest: \"".len();
    let end = at + measured[at..].find('"').unwrap();
    let second = [&measured[..at], &all[1].variant, &measured[end..]].concat();
    fs::write(&tuning, second).unwrap();
    assert_eq!(choose(&device).unwrap().variant, all[1].variant);
    assert_eq!(pinned().unwrap().variant, all[0].variant);
    // Pinned by name.
    fs::write(&run, text.replace(&all[0].variant, &all[2].variant)).unwrap();
    assert_eq!(pinned().unwrap().variant, all[2].variant);
    fs::write(&run, "{damaged").unwrap();
    let damaged = pinned();
    fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(damaged, Err(Error::File { .. })), "{damaged:?}");
}

#[test]
fn broken_modules_are_device_errors() {
    let device = device(None);
    let good = emit(&unary(Unary::Exp), &device.adapter.caps);
    for source in [
        "not a module".to_string(),
        good.source.replace("exp(", "exq("),
        good.source.replace("fn main(", "fn other("),
    ] {
        let broken = Shader {
            source,
            ..good.clone()
        };
        let error = pipeline(&device, &broken, "blocks.3.mlp").expect_err("it is broken");
        let message = error.to_string();
        assert!(matches!(error, Error::Device(_)), "{error:?}");
        assert!(message.contains("blocks.3.mlp"), "{message}");
    }
    device.check().expect("the device itself is fine");
}

/// What wgpu reports outside any scope arrives at the next check.
#[test]
fn validation_errors_are_kept() {
    let device = device(None);
    device.check().unwrap();
    let _ = device.raw().0.create_buffer(&wgpu::BufferDescriptor {
        label: Some("mapped for both"),
        size: 16,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let error = device.check().expect_err("the usage is invalid");
    assert!(error.to_string().contains("mapped for both"), "{error}");
}

#[test]
fn a_lost_device_is_an_error() {
    let device = device(None);
    let buffer = device.buffer("x", 4).unwrap();
    device.raw().0.destroy();
    let read = device.read::<f32>(&buffer, 4);
    assert!(matches!(read, Err(Error::Device(_))), "{read:?}");
}

/// Beyond the budget a texture stands for one buffer after another, never for two of a kernel, and is out of
/// date when it is taken over or the buffer is written.
#[test]
fn textures_are_taken_over_beyond_the_budget() {
    let device = device(None);
    let [a, b, c, d] = [0, 1, 2, 3].map(|slot| Place::Slot { slot, first: 0 });
    let kernels = [vec![a, b], vec![b, c, b], vec![a, d]];
    let len = |place| if place == d { 100 } else { 12_288 };
    let (plenty, own) = Textures::choose(&device, &kernels, len, 1 << 20);
    assert_eq!(own, [vec![0, 1], vec![1, 2, 1], vec![0, 3]]);
    assert!(!plenty.holds(0, a), "nothing is copied yet");

    let (mut textures, shared) = Textures::choose(&device, &kernels, len, 0);
    assert_eq!(shared, [vec![0, 1], vec![1, 0, 1], vec![0, 1]]);
    let buffer = device.buffer("x", 12_288).unwrap();
    let mut encoder = device.raw().0.create_command_encoder(&Default::default());
    let mut copy = |textures: &mut Textures, texture, place| {
        textures.copy(&mut encoder, texture, (place, (&buffer, 0), len(place)));
    };
    copy(&mut textures, 0, a);
    copy(&mut textures, 1, b);
    assert!(textures.holds(0, a) && textures.holds(1, b));
    copy(&mut textures, 0, c);
    assert!(textures.holds(0, c) && !textures.holds(0, a));
    textures.written(a);
    assert!(textures.holds(0, c), "another place was written");
    textures.written(c);
    textures.written(b);
    assert!(!textures.holds(0, c) && !textures.holds(1, b));
    device.check().unwrap();
}
