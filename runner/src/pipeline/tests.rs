#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! The language on good and bad files.
use super::*;
use std::fs;
use std::path::Path;

const GOOD: &str = r#"Pipeline(
    name: "t",
    seed: 1,
    data: {"scans": Dataset(root: "x")},
    encoder: Sam(image_size: 96, patch_size: 8, dim: 96, depth: 4, heads: 4),
    lora: Lora(rank: 4),
    stages: [
        Pretrain(name: "simclr", data: "scans", network: Simclr(depth: 18, width: 1), epochs: 1, batch: 4,
            optimiser: AdamW(learning_rate: 1e-3, weight_decay: 0.1), schedule: Poly(warmup_steps: 25, power: 0.9)),
        Expert(name: "image", level: Image(teacher: "simclr"), data: "scans", epochs: 1, batch: 4,
            optimiser: AdamW(learning_rate: 1e-3, weight_decay: 0.1), schedule: Poly(warmup_steps: 25, power: 0.9)),
    ],
)"#;
fn try_load(text: &str, sets: &[&str]) -> Result<Pipeline, Diagnostic> {
    let dir = tempfile::tempdir().unwrap();
    let p = dir.path().join("p.ron");
    fs::write(&p, text).unwrap();
    let sets: Vec<Override> = sets.iter().map(|s| Override::parse(s).unwrap()).collect();
    load(&p, &sets)
}
#[test]
fn show() {
    let g = try_load(GOOD, &[]).unwrap();
    println!("{}", to_ron(&g).unwrap());
    for (a, b) in [("epochs: 1", "epoch: 1"), ("batch: 4", "batch: \"x\""), ("Simclr(", "Simcler("), ("seed: 1,", ""), ("seed: 1,", "seed: 1, seed: 2,"), ("seed: 1", "seed: -1"), ("seed: 1", "seed: 1.5"), ("heads: 4", "heads: 5"), ("\"simclr\")", "\"simcl\")"), ("root: \"x\"", "root: \"${env:NOPE_X}/a\""), ("],\n)", "]"), ("Sam(", "Sham("), ("Pipeline(", "Pipelin("), ("teacher:", "teach:"), ("Expert(", "Expart("), ("AdamW(", "AdamV("), ("warmup_steps", "warmup"), ("name: \"image\", ", ""), ("Dataset(", "Datset("), ("epochs: 1,", "epochs 1,")] {
        let e = try_load(&GOOD.replace(a, b), &[]).unwrap_err();
        println!("{e}\n");
    }
    for s in ["stages.image.epochs=x", "stages.imge.epochs=2", "stages.image.epoch=2", "stages.image.level.projector_width=64.5", "encoder.heads=7", "stages.image.max_steps=x", "seed=", "stages.image.level.teacher=foo"] {
        let e = try_load(GOOD, &[s]).unwrap_err();
        println!("{e}\n");
    }
    let g = try_load(GOOD, &["stages.image.level.projector_width=64", "stages.image.max_steps=3", "data.scans.root=/a/b.c"]).unwrap();
    println!("{g:?}");
}
