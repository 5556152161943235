//! Where training went wrong.

use samora_engine::weights::Weights;

use super::{Context, foundations};
use crate::error::Error;
use crate::run_dir::checkpoint;

/// A weight beyond which a network has diverged, whatever it is.
const HUGE: f32 = 1e5;

/// The error of a loss that is no number at `step`, and was one at step `good`, if that was looked at.
pub(super) fn diverged(
    ctx: &Context<'_>,
    stage: &str,
    (good, step): (Option<usize>, usize),
    scaled: bool,
) -> Error {
    let other = match scaled {
        true => ", or use `precision: Exact`, which has no limit at 65504",
        false => "",
    };
    let problem = match good {
        Some(good) => format!(
            "the loss is no longer a number, and was one at step {good}; lower the learning rate or \
             lengthen the warm-up{other}"
        ),
        None => match inherited(ctx, stage) {
            Some(error) => return error,
            None => format!(
                "the loss is no number before anything was learned; look at the data with \
                 `runner check` and at `weights` with `runner inspect`{other}"
            ),
        },
    };
    Error::Training {
        stage: stage.into(),
        step,
        problem,
    }
}

/// The error of the earlier stage whose weights `stage` starts from, if those have grown out of all measure.
fn inherited(ctx: &Context<'_>, stage: &str) -> Option<Error> {
    let own = ctx.pipeline.stages.iter().find(|s| s.name() == stage)?;
    foundations(ctx.pipeline, own).into_iter().find_map(|s| {
        let weights = Weights::read(&checkpoint(ctx.run.root(), s.name())).ok()?;
        let (name, largest) = largest(&weights)?;
        (largest > HUGE).then(|| Error::Diverged {
            stage: s.name().to_string(),
            problem: format!(
                "{name} has grown to {largest:.1e}, with which the first loss of stage {stage} is no number; \
                 lower the learning rate or lengthen the warm-up of stage {}",
                s.name()
            ),
        })
    })
}

/// The tensor with the element of largest magnitude.
fn largest(weights: &Weights) -> Option<(&str, f32)> {
    let of = |values: &[f32]| values.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let each = weights.tensors.iter();
    let each = each.map(|(name, tensor)| (name.as_str(), of(tensor.as_f32())));
    each.max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use samora_engine::Tensor;

    #[test]
    fn the_largest_element_is_found_whatever_its_sign() {
        let mut weights = Weights::default();
        assert_eq!(largest(&weights), None);
        for (name, values) in [("a", [1.0, 2.0]), ("b", [-3.0e9, 0.0]), ("c", [5.0, 4.0])] {
            let tensor = Tensor::f32(&[2], values.to_vec());
            weights.tensors.insert(name.into(), tensor);
        }
        assert_eq!(largest(&weights), Some(("b", 3.0e9)));
    }
}
