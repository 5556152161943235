//! The loss of both decoders (H-SAM, trainer.py).

use super::HsamMasks;
use crate::nn::loss::segmentation;
use crate::{Graph, Value};

/// The second decoder's weight in epoch 0, and what its exponent is multiplied by in each further one.
const WEIGHT: f32 = 0.6;
const DECAY: f32 = 0.99;

/// A loss and its parts, scalars.
#[derive(Clone, Copy, Debug)]
pub struct HsamLoss {
    /// `(1 − w)·low + w·full` with w = 0.6^(0.99^epoch)
    pub total: Value,
    /// The first decoder's loss.
    pub low: Value,
    /// The second decoder's.
    pub full: Value,
}

/// Loss of `masks` against u32 labels for the pixels of either decoder: `low [batch·(4·grid)²]` and
/// `full [batch·(16·grid)²]`, each by [`segmentation`] with `weights`. The second decoder's weight grows
/// with the number of the `epoch`, a scalar (see [`crate::optim::epoch`]).
pub fn hsam_loss(
    g: &mut Graph,
    masks: HsamMasks,
    [low, full]: [Value; 2],
    weights: (f32, f32),
    epoch: Value,
) -> HsamLoss {
    let low = segmentation(g, masks.low, low, weights);
    let full = segmentation(g, masks.full, full, weights);
    let weight = second_weight(g, epoch);
    // low + w·(full − low)
    let difference = g.sub(full, low);
    let share = g.mul(weight, difference);
    let total = g.add(low, share);
    HsamLoss { total, low, full }
}

fn second_weight(g: &mut Graph, epoch: Value) -> Value {
    let [base, decay] = [WEIGHT, DECAY].map(|x| g.scalar(x));
    let exponent = g.pow(decay, epoch);
    g.pow(base, exponent)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::optim::{self, STEPS};
    use crate::{Tensor, cpu};

    /// With 14 steps an epoch, at the first and the last step of epochs.
    #[test]
    fn the_second_decoder_counts_for_more_in_later_epochs() {
        let mut g = Graph::new();
        let epoch = optim::epoch(&mut g, 14);
        let weight = second_weight(&mut g, epoch);
        g.check().unwrap();
        for (step, number, expected) in [
            (0, 0.0, 0.6),
            (13, 0.0, 0.6),
            (14, 1.0, 0.603_072),
            (29 * 14 - 1, 28.0, 0.680_090),
            (29 * 14, 29.0, 0.682_72),
            (299 * 14 + 13, 299.0, 0.975_01),
        ] {
            let feeds = HashMap::from([(STEPS.to_string(), Tensor::full(&[], step as f32))]);
            let out = cpu::evaluate(&g, &feeds, &[epoch, weight]).unwrap();
            assert_eq!(out[0].at(0), number, "{step}");
            assert!((out[1].at(0) - expected).abs() < 1e-5, "{step}: {out:?}");
        }
    }
}
