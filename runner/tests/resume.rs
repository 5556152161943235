//! A run that is stopped in every stage and continued ends in the same bytes as one that is not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod tiny;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const ALL_KINDS: &str = r#"
    Pretrain(
        name: "encoder", objective: Masked(), max_steps: 40,
        optimiser: (learning_rate: 1e-3, clip_norm: 1.0),
    ),
    Pretrain(
        name: "simclr", objective: Simclr(network: (blocks: [1], width: 4, projection_dim: 8)),
        max_steps: 40,
    ),
    Pretrain(
        name: "mae", max_steps: 40,
        objective: Mae(network: (
            image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2,
            decoder_dim: 16, decoder_depth: 1, decoder_heads: 2,
        )),
    ),
    Expert(name: "image", level: Image(teacher: "simclr", projector_width: 16), max_steps: 40),
    Expert(name: "patch", level: Patch(teacher: "mae", projector_width: 16), max_steps: 40),
    Expert(name: "pixel", level: Pixel(), max_steps: 40),
    Finetune(
        name: "finetune", max_steps: 40,
        loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Samed,
        optimiser: (learning_rate: 1e-3, schedule: Poly(warmup_steps: 5)),
    ),
    Evaluate(name: "test", model: "finetune", batch: 4, overlays: 1),
"#;

const STAGES: [&str; 7] = [
    "encoder", "simclr", "mae", "image", "patch", "pixel", "finetune",
];

/// Noise, dropout, and a loss that depends on the epoch, of which there are several.
const HSAM: &str = r#"
    Pretrain(name: "encoder", objective: Masked(), max_steps: 4),
    Finetune(
        name: "finetune", batch: 8, epochs: 4, max_steps: 24,
        loss: (cross_entropy: 0.2, dice: 0.8), augmentation: HSam,
    ),
    Evaluate(name: "test", model: "finetune", batch: 4, overlays: 1),
"#;

/// Longest time a stage may take.
const PATIENCE: Duration = Duration::from_secs(300);

fn start(folder: &Path, out: &str, adapter: &str) -> Child {
    tiny::run(folder, out)
        .args(["--adapter", adapter])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn finish(folder: &Path, out: &str, adapter: &str) {
    let run = tiny::run(folder, out)
        .args(["--adapter", adapter])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
}

/// Stops a run with `signal` as soon as it has logged a step of `stage`. Returns how
/// it ended.
fn stop_in(folder: &Path, stage: &str, signal: &str, adapter: &str) -> ExitStatus {
    let out = "stopped";
    let log = folder.join(out).join("events.jsonl");
    // Steps logged by an earlier run, if any.
    fs::remove_file(&log).ok();
    let mut run = start(folder, out, adapter);
    let logged = format!("\"stage\":\"{stage}\"");
    let begun = Instant::now();
    while !fs::read_to_string(&log)
        .unwrap_or_default()
        .contains(&logged)
    {
        assert!(run.try_wait().unwrap().is_none(), "{stage} ended too early");
        assert!(begun.elapsed() < PATIENCE, "{stage} does not begin");
        std::thread::sleep(Duration::from_millis(2));
    }
    // The shell has `kill` built in; small systems have no program of that name.
    let kill = Command::new("sh")
        .args(["-c", "kill $0 $1", signal, &run.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    run.wait().unwrap()
}

/// Everything a run leaves that must not depend on when it was stopped.
fn results(root: &Path, stages: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let stages = stages.iter();
    let checkpoints = stages.map(|stage| format!("checkpoints/{stage}.safetensors"));
    let names = checkpoints.chain(["summary.json".into(), "summary.csv".into()]);
    names
        .map(|name| (name.clone(), fs::read(root.join(&name)).expect(&name)))
        .collect()
}

/// Two runs in the same folder end in the same.
fn assert_same(folder: &Path, stages: &[&str]) {
    let [whole, stopped] = ["whole", "stopped"].map(|run| results(&folder.join(run), stages));
    for (name, bytes) in whole {
        assert!(stopped[&name] == bytes, "{name} differs");
    }
}

/// The processor, by part of its name, and the first adapter.
fn devices() -> [String; 2] {
    let found = samora_engine::devices();
    let adapter = found.iter().position(|device| device.gpu.is_some());
    let adapter = adapter.expect("an adapter of Vulkan, Metal or DX12");
    ["cpu".into(), adapter.to_string()]
}

#[test]
fn stopping_in_every_stage_changes_nothing() {
    devices()
        .iter()
        .for_each(|device| every_stage_resumes(device));
}

fn every_stage_resumes(device: &str) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tiny::write(folder, "adapter: Experts(rank: 2)", ALL_KINDS);
    finish(folder, "whole", device);
    for stage in STAGES {
        let status = stop_in(folder, stage, "-KILL", device);
        assert_eq!(status.signal(), Some(9), "{stage}: {status}");
        // The state is saved every few seconds, or on an interruption: these stages go on from it.
        if ["simclr", "pixel", "finetune"].contains(&stage) {
            let status = stop_in(folder, stage, "-INT", device);
            assert_eq!(status.code(), Some(130), "{stage}: {status}");
            let state = format!("stopped/checkpoints/{stage}.state.safetensors");
            assert!(folder.join(state).exists(), "{stage}");
        }
    }
    finish(folder, "stopped", device);
    assert_same(folder, &STAGES);
}

#[test]
fn stopping_changes_nothing_of_what_h_sam_draws() {
    devices().iter().for_each(|device| h_sam_resumes(device));
}

fn h_sam_resumes(device: &str) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tiny::write(folder, "adapter: Lora(rank: 2), decoder: HSam", HSAM);
    finish(folder, "whole", device);
    let log = fs::read_to_string(folder.join("whole/events.jsonl")).unwrap();
    assert!(log.matches("\"stage\":\"finetune\"").count() > 2, "{log}");
    for (signal, code) in [("-KILL", None), ("-INT", Some(130)), ("-INT", Some(130))] {
        let status = stop_in(folder, "finetune", signal, device);
        assert_eq!(status.code(), code, "{status}");
    }
    finish(folder, "stopped", device);
    assert_same(folder, &["encoder", "finetune"]);
}
