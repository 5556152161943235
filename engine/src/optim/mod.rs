//! Optimisers as graph nodes: gradients, clipping, learning-rate schedule and update are part of the
//! step's graph, so an update is planned and fused like everything else.

mod loss_scale;
mod norm;
mod rule;
mod schedule;

use serde::{Deserialize, Serialize};

use loss_scale::LossScale;
pub use loss_scale::{LOSS_SCALE, SKIPPED_STEPS};
use norm::{clip, total_norm};
pub use rule::Rule;
pub use schedule::{PolyLength, Schedule};

use crate::{Graph, Phase, Remat, Tensor, Value, differentiate};

/// Name of the state that counts the steps which changed something: those of the schedule.
pub const STEPS: &str = "optim.step";

/// How a loss is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimConfig {
    /// Base learning rate, the schedule's peak.
    pub learning_rate: f64,
    /// Update rule.
    #[serde(default)]
    pub rule: Rule,
    /// Learning rate over steps.
    #[serde(default)]
    pub schedule: Schedule,
    /// Largest L2 norm of all gradients together; longer ones are scaled down to it.
    #[serde(default)]
    pub clip_norm: Option<f64>,
}

impl OptimConfig {
    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let rates = [
            ("learning_rate", Some(self.learning_rate)),
            ("clip_norm", self.clip_norm),
        ];
        for (field, value) in rates {
            if value.is_some_and(|value| !(value > 0.0 && value.is_finite())) {
                return Err((field, "must be a positive number".into()));
            }
        }
        let fault = |field| move |message: &str| (field, message.to_string());
        self.rule.check().map_err(fault("rule"))?;
        self.schedule.check().map_err(fault("schedule"))
    }
}

/// The number of the step's epoch, counted from 0, a scalar: ⌊steps taken / `steps_per_epoch`⌋. It follows
/// from the state that [`minimise`] keeps, so a run that is continued counts on.
pub fn epoch(g: &mut Graph, steps_per_epoch: usize) -> Value {
    let step = steps_taken(g);
    // In the middle of steps, rounding does not lead into the next epoch.
    let middle = g.offset(step, 0.5);
    let epochs = g.scale(middle, 1.0 / steps_per_epoch.max(1) as f32);
    g.floor(epochs)
}

/// How gradients are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backward {
    /// What is computed again instead of kept.
    pub remat: Remat,
    /// Whether the loss is scaled before it is differentiated, for devices that round the operands of
    /// products to f16: small gradients would vanish there. A step whose gradients overflow changes
    /// nothing but the scale: it counts as not taken, and running statistics of the forward pass stay.
    pub scaled: bool,
}

/// What [`minimise`] appended.
#[derive(Clone, Debug)]
pub struct Minimised {
    /// Learning rate of this step, a scalar.
    pub learning_rate: Value,
    /// L2 norm of all gradients before clipping, a scalar; only with [`OptimConfig::clip_norm`].
    pub gradient_norm: Option<Value>,
    /// The members of `trainable` that are updated: those the loss depends on.
    pub updated: Vec<Value>,
}

/// Differentiates the scalar `loss`, and stores updated values into the parameters among
/// `trainable` at the end of each step. Parameters the loss does not depend on are left alone, weight
/// decay included, as PyTorch does for a gradient of `None`.
///
/// State is named `optim.step` (steps taken, see [`STEPS`]), `optim.loss_scale.…` and `optim.<slot>.<parameter>`;
/// a checkpoint that holds it continues the run. `total_steps` is the length of the schedule.
pub fn minimise(
    g: &mut Graph,
    loss: Value,
    trainable: &[Value],
    config: &OptimConfig,
    total_steps: usize,
    backward: Backward,
) -> Minimised {
    let scope = g.replace_scope(vec!["optim".into()]);
    let scale = backward.scaled.then(|| LossScale::new(g));
    let scaled_loss = scale.as_ref().map_or(loss, |s| g.mul(loss, s.factor));
    g.replace_scope(scope);
    let gradients = differentiate(g, scaled_loss, trainable, backward.remat);
    let scope = g.replace_scope(vec!["optim".into()]);
    let phase = g.replace_phase(Phase::Update);
    let mut pairs: Vec<(Value, Value)> = trainable
        .iter()
        .zip(gradients)
        .filter_map(|(&param, gradient)| Some((param, gradient?)))
        .collect();
    let mut norm = (scale.is_some() || config.clip_norm.is_some()).then(|| total_norm(g, &pairs));
    let step = steps_taken(g);
    let learning_rate = config
        .schedule
        .rate(g, step, config.learning_rate, total_steps);
    let mut finite = None;
    if let (Some(scale), Some(scaled)) = (scale, norm) {
        let (true_norm, is_finite) = scale.undo(g, scaled, &mut pairs);
        (norm, finite) = (Some(true_norm), Some(is_finite));
    }
    if let (Some(norm), Some(limit)) = (norm, config.clip_norm) {
        clip(g, &mut pairs, norm, limit);
    }
    if let Some(finite) = finite {
        g.restrict_assigns(finite);
    }
    let next = g.offset(step, 1.0);
    g.assign_if(finite, step, next);
    config.rule.update(g, &pairs, learning_rate, finite);
    if let Some((scale, finite)) = scale.zip(finite) {
        scale.adapt(g, finite);
    }
    g.replace_phase(phase);
    g.replace_scope(scope);
    Minimised {
        learning_rate,
        gradient_norm: config.clip_norm.and(norm),
        updated: pairs.into_iter().map(|(param, _)| param).collect(),
    }
}

/// The state [`STEPS`].
fn steps_taken(g: &mut Graph) -> Value {
    let scope = g.replace_scope(Vec::new());
    let step = g.state(STEPS, Tensor::full(&[], 0.0));
    g.replace_scope(scope);
    step
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{Init, cpu};

    /// Runs `steps` steps of loss = Σ c·w over w = [[1, −2]] with c = [[0.5, −1]], and returns w.
    fn run(rule: Rule, clip_norm: Option<f64>, steps: usize) -> Vec<f32> {
        let mut g = Graph::new();
        let w = g.param("w", &[1, 2], Init::Zeros);
        let unused = g.param("unused", &[1, 2], Init::Zeros);
        let c = g.constant("c", Tensor::f32(&[1, 2], vec![0.5, -1.0]));
        let cw = g.mul(c, w);
        let loss = g.sum(cw, &[0, 1]);
        let config = OptimConfig {
            learning_rate: 0.1,
            rule,
            schedule: Schedule::Constant,
            clip_norm,
        };
        let minimised = minimise(&mut g, loss, &[w, unused], &config, 10, Backward::default());
        g.check().unwrap();
        assert_eq!(minimised.updated, [w]);
        let mut feeds = HashMap::from([("w".to_string(), Tensor::f32(&[1, 2], vec![1.0, -2.0]))]);
        for _ in 0..steps {
            let news: Vec<Value> = g.assigns().iter().map(|a| a.1).collect();
            let news = cpu::evaluate(&g, &feeds, &news).unwrap();
            for ((target, _), new) in g.assigns().iter().zip(news) {
                let name = g.sources().iter().find(|s| s.value == *target).unwrap();
                feeds.insert(name.name.clone(), new);
            }
        }
        assert_eq!(feeds["optim.step"].at(0), steps as f64);
        feeds["w"].as_f32().to_vec()
    }

    fn assert_close(got: &[f32], expected: [f64; 2]) {
        assert_eq!(got.len(), expected.len());
        for (g, e) in got.iter().zip(expected) {
            assert!((f64::from(*g) - e).abs() < 2e-6, "{got:?} {expected:?}");
        }
    }

    /// With a constant gradient m̂/√v̂ is the sign, so each step is w·(1 − 0.1·0.1) ∓ 0.1.
    #[test]
    fn adamw_decays_decoupled_and_corrects_bias() {
        let rule = Rule::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.1,
            decay_vectors: true,
        };
        assert_close(&run(rule, None, 1), [0.89, -1.88]);
        assert_close(&run(rule, None, 2), [0.7811, -1.7612]);
    }

    /// Gradients at decay 0.5 are [1, −2], then u = 0.9·[1, −2] + …
    #[test]
    fn sgd_adds_decay_to_the_gradient() {
        let rule = Rule::Sgd {
            momentum: 0.9,
            weight_decay: 0.5,
        };
        assert_close(&run(rule, None, 1), [0.9, -1.8]);
        // u = 0.9·1 + 0.5 + 0.5·0.9 = 1.85
        assert_close(&run(rule, None, 2), [0.715, -1.43]);
    }

    /// ‖w‖ = √5 and ‖g‖ = √1.25, so trust = 0.01·2.
    #[test]
    fn lars_scales_by_the_trust_ratio() {
        let rule = Rule::Lars {
            momentum: 0.9,
            weight_decay: 0.0,
            trust: 0.01,
        };
        assert_close(
            &run(rule, None, 1),
            [1.0 - 0.1 * 0.02 * 0.5, -2.0 + 0.1 * 0.02],
        );
    }

    /// The gradient's norm is √1.25; clipped to 0.5.
    #[test]
    fn clipping_keeps_the_direction() {
        let rule = Rule::Sgd {
            momentum: 0.0,
            weight_decay: 0.0,
        };
        let f = 0.1 * 0.5 / 1.25f64.sqrt();
        assert_close(&run(rule, Some(0.5), 1), [1.0 - f * 0.5, -2.0 + f]);
        assert_close(&run(rule, Some(5.0), 1), [0.95, -1.9]);
    }

    #[test]
    fn numbers_that_cannot_train_are_refused() {
        let config = |json: &str| serde_json::from_str::<OptimConfig>(json).unwrap();
        let faulty = |json: &str| config(json).check().err().map(|fault| fault.0);
        let good = r#"{"learning_rate": 1e-3, "clip_norm": 1, "schedule": {"Poly": {}}}"#;
        assert_eq!(config(good).check(), Ok(()));
        for (field, json) in [
            ("learning_rate", r#"{"learning_rate": 0}"#),
            ("learning_rate", r#"{"learning_rate": -1e-3}"#),
            ("clip_norm", r#"{"learning_rate": 1, "clip_norm": 0}"#),
            (
                "rule",
                r#"{"learning_rate": 1, "rule": {"AdamW": {"beta1": 1}}}"#,
            ),
            (
                "rule",
                r#"{"learning_rate": 1, "rule": {"AdamW": {"epsilon": 0}}}"#,
            ),
            (
                "rule",
                r#"{"learning_rate": 1, "rule": {"Sgd": {"momentum": -1}}}"#,
            ),
            (
                "rule",
                r#"{"learning_rate": 1, "rule": {"Lars": {"trust": 0}}}"#,
            ),
            (
                "schedule",
                r#"{"learning_rate": 1, "schedule": {"Poly": {"power": -1}}}"#,
            ),
            (
                "schedule",
                r#"{"learning_rate": 1, "schedule": {"Cosine": {"final_rate": -1}}}"#,
            ),
        ] {
            assert_eq!(faulty(json), Some(field), "{json}");
        }
        let unknown = OptimConfig {
            learning_rate: f64::NAN,
            ..config(good)
        };
        assert_eq!(
            unknown.check().err().map(|fault| fault.0),
            Some("learning_rate")
        );
    }

    #[test]
    fn unset_fields_have_pytorchs_defaults() {
        let config: OptimConfig =
            serde_json::from_str(r#"{"learning_rate": 1e-3, "rule": {"AdamW": {}}}"#).unwrap();
        assert_eq!(config.rule, Rule::default());
        let misspelt = r#"{"learning_rate": 1e-3, "rule": {"AdamW": {"beta3": 1}}}"#;
        assert!(serde_json::from_str::<OptimConfig>(misspelt).is_err());
    }
}
