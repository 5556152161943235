//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

use crate::{Graph, Value};

/// Learning rate as a function of the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Schedule {
    /// The base rate throughout.
    #[default]
    Constant,
    /// SAMed's rule. Step 0 runs at base/W. The rate set after step k, used by step k + 1, is
    /// base·(k + 1)/W while k < W, then base·(1 − (k − W)/D)^power.
    Poly {
        /// W, steps of linear warm-up.
        #[serde(default)]
        warmup_steps: usize,
        /// Exponent of the decay.
        #[serde(default = "poly_power")]
        power: f64,
        /// What D counts.
        #[serde(default)]
        length: PolyLength,
    },
    /// base·k/W during warm-up, then half a cosine from base to `final_rate` at the last step, as
    /// MAE and SimCLR do per iteration.
    Cosine {
        /// W, steps of linear warm-up.
        #[serde(default)]
        warmup_steps: usize,
        /// Rate at the end.
        #[serde(default)]
        final_rate: f64,
    },
}

/// Denominator D of [`Schedule::Poly`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolyLength {
    /// The steps after the warm-up, as SAMora: the rate reaches zero at the end.
    #[default]
    AfterWarmup,
    /// All steps, as SAMed and H-SAM.
    Total,
}

impl Schedule {
    /// Says what is wrong with its numbers, if anything.
    pub(super) fn check(self) -> Result<(), &'static str> {
        let amount = |x: f64| x >= 0.0 && x.is_finite();
        match self {
            Self::Poly { power, .. } if !amount(power) => Err("power must not be negative"),
            Self::Cosine { final_rate, .. } if !amount(final_rate) => {
                Err("final_rate must not be negative")
            }
            _ => Ok(()),
        }
    }

    /// The rate of the step numbered by the scalar `step` (from 0), a scalar.
    pub(super) fn rate(self, g: &mut Graph, step: Value, base: f64, total_steps: usize) -> Value {
        match self {
            Self::Constant => g.scalar(base as f32),
            Self::Poly {
                warmup_steps,
                power,
                length,
            } => {
                let all = match length {
                    PolyLength::AfterWarmup => total_steps.saturating_sub(warmup_steps),
                    PolyLength::Total => total_steps,
                };
                let past = g.offset(step, -(warmup_steps as f32) - 1.0);
                let left = remaining(g, past, all);
                let exponent = g.scalar(power as f32);
                let decayed = g.pow(left, exponent);
                let decayed = g.scale(decayed, base as f32);
                let one = g.scalar(1.0);
                let done = g.maximum(step, one);
                warm_up(g, step, done, decayed, base, warmup_steps)
            }
            Self::Cosine {
                warmup_steps,
                final_rate,
            } => {
                let all = total_steps.saturating_sub(warmup_steps);
                let past = g.offset(step, -(warmup_steps as f32));
                let left = remaining(g, past, all);
                // ½(1 + cos(π·(1 − left))) = ½ − ½·cos(π·left)
                let angle = g.scale(left, std::f32::consts::PI);
                let cosine = g.cos(angle);
                let height = (base - final_rate) / 2.0;
                let wave = g.scale(cosine, -height as f32);
                let decayed = g.offset(wave, (final_rate + height) as f32);
                warm_up(g, step, step, decayed, base, warmup_steps)
            }
        }
    }
}

/// 1 − past/all, kept within [0, 1].
fn remaining(g: &mut Graph, past: Value, all: usize) -> Value {
    let (zero, one) = (g.scalar(0.0), g.scalar(1.0));
    let used = g.scale(past, 1.0 / all.max(1) as f32);
    let used = g.maximum(used, zero);
    let used = g.minimum(used, one);
    g.sub(one, used)
}

/// base·done/W for the first W + 1 steps, which ends at base, then `after`.
fn warm_up(
    g: &mut Graph,
    step: Value,
    done: Value,
    after: Value,
    base: f64,
    warmup_steps: usize,
) -> Value {
    if warmup_steps == 0 {
        return after;
    }
    let rising = g.scale(done, (base / warmup_steps as f64) as f32);
    let end = g.scalar(warmup_steps as f32 + 0.5);
    let warming = g.lt(step, end);
    g.select(warming, rising, after)
}

fn poly_power() -> f64 {
    0.9
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{Tensor, cpu};

    fn rate(schedule: Schedule, base: f64, total: usize, step: usize) -> f64 {
        let mut g = Graph::new();
        let at = g.constant("at", Tensor::full(&[], step as f32));
        let rate = schedule.rate(&mut g, at, base, total);
        g.check().unwrap();
        cpu::evaluate(&g, &HashMap::new(), &[rate]).unwrap()[0].at(0)
    }

    /// Values of SAMed's rule with base 0.005, W = 250 and T = 18 600, as (k, rate set after k).
    #[test]
    fn poly_over_all_steps_is_sameds_rule() {
        let poly = Schedule::Poly {
            warmup_steps: 250,
            power: 0.9,
            length: PolyLength::Total,
        };
        assert!((rate(poly, 0.005, 18_600, 0) - 2e-5).abs() < 1e-11);
        for (k, expected) in [
            (0, 2e-5),
            (1, 4e-5),
            (249, 0.005),
            (250, 0.005),
            (251, 0.004_999_758_1),
            (5000, 0.003_834_538_9),
            (14_879, 0.001_245_713_7),
        ] {
            let got = rate(poly, 0.005, 18_600, k + 1);
            assert!((got - expected).abs() < 1e-6 * expected, "{k}: {got}");
        }
    }

    #[test]
    fn poly_after_warm_up_ends_near_zero() {
        let poly = Schedule::Poly {
            warmup_steps: 25,
            power: 0.9,
            length: PolyLength::AfterWarmup,
        };
        let last = rate(poly, 1.0, 100, 99);
        // k = 98: (1 − 73/75)^0.9
        assert!((last - (2.0f64 / 75.0).powf(0.9)).abs() < 1e-5, "{last}");
        assert_eq!(rate(poly, 1.0, 100, 1000), 0.0);
    }

    #[test]
    fn cosine_starts_at_zero_peaks_and_falls() {
        let cosine = Schedule::Cosine {
            warmup_steps: 10,
            final_rate: 0.1,
        };
        for (step, expected) in [(0, 0.0), (5, 0.5), (10, 1.0), (60, 0.55), (110, 0.1)] {
            let got = rate(cosine, 1.0, 110, step);
            assert!((got - expected).abs() < 1e-6, "{step}: {got}");
        }
    }
}
