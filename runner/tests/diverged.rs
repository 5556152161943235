//! A stage that diverged is named, whoever notices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod tiny;

use std::path::Path;

/// Weights grow to about the learning rate in one step of AdamW, and their products overflow.
const STAGES: &str = r#"
    Pretrain(
        name: "encoder", objective: Masked(), epochs: 1, max_steps: STEPS, optimiser: (learning_rate: 1e20),
    ),
    Finetune(
        name: "finetune", epochs: 1, max_steps: 2,
        loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Off,
    ),
"#;

fn failure(folder: &Path, steps: usize) -> String {
    tiny::write(
        folder,
        "adapter: Nothing",
        &STAGES.replace("STEPS", &steps.to_string()),
    );
    let out = tiny::run(folder, &format!("run{steps}")).output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{said}");
    said
}

#[test]
fn the_stage_that_diverged_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // The loss is looked at in steps 0 and 4.
    let said = failure(folder.path(), 12);
    let own = "stage encoder, step 4: the loss is no longer a number, and was one at step 0";
    assert!(said.contains(own), "{said}");

    // One step leaves finite weights, which the next stage cannot multiply.
    let said = failure(folder.path(), 1);
    assert!(said.contains("stage encoder diverged: "), "{said}");
    assert!(
        said.contains("the first loss of stage finetune is no number"),
        "{said}"
    );
}
