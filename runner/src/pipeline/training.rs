//! placeholder
use serde::{Deserialize, Serialize};
/// Rule of the weight update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Optimiser {
    AdamW {
        learning_rate: f32,
        weight_decay: f32,
        #[serde(default = "betas")]
        betas: (f32, f32),
    },
}
fn betas() -> (f32, f32) {
    (0.9, 0.999)
}
/// Learning rate over time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Schedule {
    Poly { warmup_steps: usize, power: f32 },
    Cosine { warmup_steps: usize },
}
/// A
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Augmentation {
    None,
    Samed,
}
