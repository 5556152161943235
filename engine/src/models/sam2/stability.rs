//! Which mask answers a clear prompt (mask_decoder.py, `_dynamic_multimask_via_stability`).

use crate::Tensor;

/// Distance of the two thresholds from zero.
const DELTA: f32 = 0.05;
/// A mask is stable if so much of its area at the lower threshold is left at the higher one.
const STABLE: f64 = 0.98;

/// The index of the mask that answers a clear prompt, of all of the decoder's: the first, unless its area depends
/// on the threshold; then the best of the others by `quality [n]`. `logits [4·grid, 4·grid, n]` are the decoder's
/// own, not clamped. For inference only: training takes the first.
pub fn clear_mask(logits: &Tensor, quality: &Tensor) -> usize {
    let masks = quality.len();
    if masks < 2 || is_stable(logits.as_f32().iter().step_by(masks)) {
        return 0;
    }
    let others = quality.as_f32().iter().enumerate().skip(1);
    let best = others.reduce(|best, other| if other.1 > best.1 { other } else { best });
    best.map_or(0, |(index, _)| index)
}

fn is_stable<'a>(logits: impl Iterator<Item = &'a f32>) -> bool {
    let (mut small, mut large) = (0u32, 0u32);
    for &logit in logits {
        small += u32::from(logit > DELTA);
        large += u32::from(logit > -DELTA);
    }
    large == 0 || f64::from(small) / f64::from(large) >= STABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two masks of 100 pixels, the first with this many logits of each kind.
    fn logits(inside: usize, between: usize) -> Tensor {
        let first = |i: usize| match i {
            i if i < inside => 1.0,
            i if i < inside + between => 0.01,
            _ => -1.0,
        };
        let both = (0..100).flat_map(|i| [first(i), 0.0, 0.0]).collect();
        Tensor::f32(&[10, 10, 3], both)
    }

    fn quality(values: [f32; 3]) -> Tensor {
        Tensor::f32(&[3], values.to_vec())
    }

    #[test]
    fn a_stable_mask_is_the_answer_whatever_the_others_are() {
        let qualities = quality([0.1, 0.9, 0.8]);
        assert_eq!(clear_mask(&logits(50, 0), &qualities), 0);
        assert_eq!(clear_mask(&logits(49, 1), &qualities), 0); // exactly 0.98
        assert_eq!(clear_mask(&logits(0, 0), &qualities), 0); // empty
    }

    #[test]
    fn an_unstable_mask_gives_way_to_the_best_of_the_others() {
        let unstable = logits(48, 1);
        assert_eq!(clear_mask(&unstable, &quality([0.9, 0.2, 0.1])), 1);
        assert_eq!(clear_mask(&unstable, &quality([0.9, 0.1, 0.2])), 2);
        assert_eq!(clear_mask(&unstable, &quality([0.9, 0.2, 0.2])), 1);
        assert_eq!(clear_mask(&logits(0, 1), &quality([0.9, 0.1, 0.2])), 2);
    }
}
