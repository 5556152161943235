#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use super::*;
use crate::pipeline::{Override, load};

fn pipeline(folder: &Path, sets: &[&str]) -> Pipeline {
    let path = folder.join("p.ron");
    let text = r#"Pipeline(
        name: "p", seed: 1, data: {"scans": La(root: "scans")},
        encoder: Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4),
        stages: [Pretrain(
            name: "encoder", data: "scans", objective: Masked(mask_ratio: 0.75), epochs: 3, batch: 4,
            optimiser: (learning_rate: 1e-3),
        )],
    )"#;
    fs::write(&path, text).unwrap();
    let sets: Vec<Override> = sets.iter().map(|s| Override::parse(s).unwrap()).collect();
    load(&path, &sets).unwrap()
}

fn open(root: &Path, pipeline: &Pipeline, fresh: bool) -> Result<RunDir> {
    Claim::new(root, pipeline, fresh)?.begin()
}

fn state(steps: usize) -> State {
    let tensor = Tensor::f32(&[2], vec![steps as f32, 0.5]);
    let tensors = BTreeMap::from([("w".to_string(), tensor)]);
    State { steps, tensors }
}

#[test]
fn a_stage_is_continued_until_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(folder.path(), &[]);
    let root = folder.path().join("runs/p");
    let run = open(&root, &pipeline, false).unwrap();
    assert_eq!(run.state("encoder").unwrap(), None);
    run.save_state("encoder", state(7)).unwrap();
    run.save_state("encoder", state(9)).unwrap();
    drop(run);

    let run = open(&root, &pipeline, false).unwrap();
    assert_eq!(run.state("encoder").unwrap(), Some(state(9)));
    assert!(!run.is_trained("encoder"));
    let weights = Weights {
        tensors: state(9).tensors,
        ..Weights::default()
    };
    run.finish("encoder", &weights).unwrap();
    assert!(run.is_trained("encoder"));
    assert_eq!(run.trained("encoder").unwrap(), weights);
    assert_eq!(run.state("encoder").unwrap(), None);
}

#[test]
fn fresh_removes_what_a_run_wrote_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(folder.path(), &[]);
    let root = folder.path().join("run");
    let run = open(&root, &pipeline, false).unwrap();
    run.save_state("encoder", state(7)).unwrap();
    fs::write(root.join("notes.txt"), "mine").unwrap();
    drop(run);
    let run = open(&root, &pipeline, true).unwrap();
    assert_eq!(run.state("encoder").unwrap(), None);
    assert_eq!(fs::read_to_string(root.join("notes.txt")).unwrap(), "mine");
    assert!(root.join("resolved.ron").exists());
}

#[test]
fn a_claim_removes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(folder.path(), &[]);
    let root = folder.path().join("run");
    let run = open(&root, &pipeline, false).unwrap();
    run.save_state("encoder", state(7)).unwrap();
    run.finish("encoder", &Weights::default()).unwrap();
    drop(run);
    let claim = Claim::new(&root, &pipeline, true).unwrap();
    assert!(!claim.is_trained("encoder"));
    drop(claim);
    let claim = Claim::new(&root, &pipeline, false).unwrap();
    assert!(claim.is_trained("encoder"));
    assert!(claim.begin().unwrap().is_trained("encoder"));
}

#[test]
fn a_claim_leaves_no_directory() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(folder.path(), &[]);
    let root = folder.path().join("run");
    drop(Claim::new(&root, &pipeline, false).unwrap());
    assert!(!root.exists());
    fs::create_dir(&root).unwrap();
    drop(Claim::new(&root, &pipeline, false).unwrap());
    assert!(root.exists());
}

#[test]
fn fresh_removes_nothing_that_the_pipeline_reads() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("run");
    let run = open(&root, &pipeline(folder.path(), &[]), false).unwrap();
    run.finish("encoder", &Weights::default()).unwrap();
    drop(run);
    let weights = root.join("curves/../checkpoints/encoder.safetensors");
    let set = format!("weights=Some({weights:?})");
    let reading = pipeline(folder.path(), &[&set]);
    let message = Claim::new(&root, &reading, true).unwrap_err().to_string();
    assert!(message.contains("which the pipeline reads"), "{message}");
    assert!(checkpoint(&root, "encoder").exists());
}

#[test]
fn another_configuration_is_refused_with_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("run");
    let mine = pipeline(folder.path(), &[]);
    let sets = ["stages.encoder.epochs=5", "seed=2"];
    let other = pipeline(folder.path(), &sets);
    // As long as nothing is saved, the configuration may still change.
    drop(open(&root, &other, false).unwrap());
    let run = open(&root, &mine, false).unwrap();
    run.save_state("encoder", state(1)).unwrap();
    drop(run);
    let message = open(&root, &other, false).unwrap_err().to_string();
    assert!(message.contains("seed: 1 → 2"), "{message}");
    assert!(
        message.contains("stages.encoder.epochs: 3 → 5"),
        "{message}"
    );
    assert!(!message.contains("batch"), "{message}");
    open(&root, &other, true).unwrap();
}

#[test]
fn two_runs_cannot_share_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(folder.path(), &[]);
    let root = folder.path().join("run");
    let first = open(&root, &pipeline, false).unwrap();
    let message = open(&root, &pipeline, true).unwrap_err().to_string();
    assert!(message.contains("another run is using"), "{message}");
    drop(first);
    open(&root, &pipeline, false).unwrap();
}

#[test]
fn foreign_folders_and_impossible_places_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(folder.path(), &[]);
    let message = open(folder.path(), &pipeline, true)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("neither empty nor a run directory"),
        "{message}"
    );
    let below_a_file = folder.path().join("p.ron/run");
    let message = open(&below_a_file, &pipeline, false)
        .unwrap_err()
        .to_string();
    assert!(message.contains("cannot create the folder"), "{message}");
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("run");
    let run = open(&root, &pipeline(folder.path(), &[]), false).unwrap();
    run.save_state("encoder", state(7)).unwrap();
    // A folder in place of the temporary file makes every write fail, whoever runs the test.
    for name in [
        "summary.json.partial",
        "checkpoints/encoder.state.safetensors.partial",
    ] {
        fs::create_dir_all(root.join(name).join("full")).unwrap();
    }
    run.write("summary.csv", b"old").unwrap();
    assert!(run.write("summary.json", b"new").is_err());
    let message = run.save_state("encoder", state(8)).unwrap_err().to_string();
    assert!(message.contains("encoder.state.safetensors"), "{message}");
    assert_eq!(run.state("encoder").unwrap(), Some(state(7)));
}
