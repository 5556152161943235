//! Dynamic loss scaling (Micikevicius et al., "Mixed Precision Training", §3.2), with PyTorch's numbers
//! (`torch.amp.GradScaler`).

use crate::{Graph, Tensor, Value};

/// The scale of the first step.
const START: f32 = 65536.0;
/// Steps without overflow after which the scale doubles; it halves at each overflow.
const INTERVAL: f32 = 2000.0;

/// Name of the state that holds the scale of the next step, at least 1.
pub const LOSS_SCALE: &str = "optim.loss_scale.factor";
/// Name of the state that counts steps which changed nothing, as their gradients overflowed.
pub const SKIPPED_STEPS: &str = "optim.loss_scale.skipped";

/// A factor on the loss that is as large as gradients bear.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossScale {
    /// The factor of this step, a scalar.
    pub(super) factor: Value,
}

impl LossScale {
    pub(super) fn new(g: &mut Graph) -> Self {
        Self {
            factor: g.state("loss_scale.factor", Tensor::full(&[], START)),
        }
    }

    /// Divides the gradients of the scaled loss by the scale, a power of two, and their `norm`, unless that is not
    /// finite: then they are blanked. So no part of an update is computed before it is known, and all of it in one
    /// kernel. Returns the true norm and whether it is finite.
    pub(super) fn undo(
        self,
        g: &mut Graph,
        norm: Value,
        pairs: &mut [(Value, Value)],
    ) -> (Value, Value) {
        let largest = g.scalar(f32::MAX);
        // Neither infinity nor NaN is less.
        let finite = g.lt(norm, largest);
        let (zero, one) = (g.scalar(0.0), g.scalar(1.0));
        let inverse = g.div(one, self.factor);
        for (_, gradient) in pairs {
            let kept = g.select(finite, *gradient, zero);
            *gradient = g.mul(kept, inverse);
        }
        (g.mul(norm, inverse), finite)
    }

    /// Adapts the scale, and counts steps whose gradients are not `finite`.
    pub(super) fn adapt(self, g: &mut Graph, finite: Value) {
        let age = g.state("loss_scale.age", Tensor::full(&[], 0.0));
        let older = g.offset(age, 1.0);
        let interval = g.scalar(INTERVAL - 0.5);
        let grows = g.lt(interval, older);
        let (zero, one) = (g.scalar(0.0), g.scalar(1.0));
        let young = g.select(grows, zero, older);
        let new_age = g.select(finite, young, zero);
        g.assign(age, new_age);

        let double = g.scale(self.factor, 2.0);
        let grown = g.select(grows, double, self.factor);
        let half = g.scale(self.factor, 0.5);
        let shrunk = g.maximum(half, one);
        let factor = g.select(finite, grown, shrunk);
        g.assign(self.factor, factor);

        let skipped = g.state("loss_scale.skipped", Tensor::full(&[], 0.0));
        let more = g.offset(skipped, 1.0);
        let skipped_now = g.select(finite, skipped, more);
        g.assign(skipped, skipped_now);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use super::{INTERVAL, SKIPPED_STEPS, START};
    use crate::nn::{Statistics, batch_norm};
    use crate::optim::{Backward, OptimConfig, Rule, STEPS, minimise};
    use crate::{Graph, Init, Tensor, Value, cpu};

    /// Steps of stochastic gradient descent on c·w at rate 0.5 from w = 1, where c is an input, with a BatchNorm
    /// of c on the side.
    struct Run {
        graph: Graph,
        feeds: HashMap<String, Tensor>,
    }

    impl Run {
        fn new() -> Self {
            let mut g = Graph::new();
            let w = g.param("w", &[1], Init::Zeros);
            let c = g.input("c", &[1], crate::DType::F32);
            let product = g.mul(c, w);
            let loss = g.sum(product, &[0]);
            batch_norm(&mut g, "norm", c, Statistics::Batch);
            let config = OptimConfig {
                learning_rate: 0.5,
                rule: Rule::Sgd {
                    momentum: 0.5,
                    weight_decay: 0.0,
                },
                schedule: Default::default(),
                clip_norm: None,
            };
            let backward = Backward {
                scaled: true,
                ..Backward::default()
            };
            minimise(&mut g, loss, &[w], &config, 10, backward);
            g.check().unwrap();
            let feeds = HashMap::from([("w".to_string(), Tensor::f32(&[1], vec![1.0]))]);
            Self { graph: g, feeds }
        }

        fn step(&mut self, c: f32) {
            self.feeds.insert("c".into(), Tensor::f32(&[1], vec![c]));
            let news: Vec<Value> = self.graph.assigns().iter().map(|a| a.1).collect();
            let news = cpu::evaluate(&self.graph, &self.feeds, &news).unwrap();
            for ((target, _), new) in self.graph.assigns().iter().zip(news) {
                let mut sources = self.graph.sources().iter();
                let source = sources.find(|s| s.value == *target).unwrap();
                self.feeds.insert(source.name.clone(), new);
            }
        }

        fn value(&self, name: &str) -> f64 {
            self.feeds[name].at(0)
        }
    }

    #[test]
    fn a_step_that_overflows_changes_only_the_scale() {
        let mut run = Run::new();
        run.step(1.0);
        assert_eq!(run.value("w"), 0.5);
        assert_eq!(run.value("optim.momentum.w"), 1.0);
        let before = run.feeds.clone();
        for bad in [1e37, f32::NAN] {
            run.step(bad);
            for (name, tensor) in before.iter().filter(|(name, _)| *name != "c") {
                let scale = name.starts_with("optim.loss_scale.");
                assert!(scale || run.feeds[name] == *tensor, "{name} changed");
            }
        }
        assert!(before["norm.running_mean"].at(0) > 0.0);
        assert_eq!(run.value("optim.loss_scale.factor"), f64::from(START) / 4.0);
        assert_eq!(run.value(SKIPPED_STEPS), 2.0);
        assert_eq!(run.value(STEPS), 1.0);
        run.step(1.0);
        assert_eq!(run.value(STEPS), 2.0);
        // u = 0.5·1 + 1
        assert_eq!(run.value("w"), 0.5 - 0.5 * 1.5);
    }

    #[test]
    fn the_scale_doubles_after_an_interval_without_overflow() {
        let mut run = Run::new();
        let age = Tensor::full(&[], INTERVAL - 1.0);
        run.feeds.insert("optim.loss_scale.age".into(), age);
        run.step(1.0);
        assert_eq!(run.value("optim.loss_scale.factor"), f64::from(START) * 2.0);
        assert_eq!(run.value("optim.loss_scale.age"), 0.0);
        run.step(1.0);
        assert_eq!(run.value("optim.loss_scale.factor"), f64::from(START) * 2.0);
        assert_eq!(run.value("optim.loss_scale.age"), 1.0);
    }
}
