//! Whether the self-test can judge a kernel, found out without a device.

use samora_shaders::reference::Words;
use samora_shaders::{Caps, Products, emit};

use super::candidate::Candidate;
use super::inputs::{inputs, is_read};
use super::trial::expected;
use crate::{Error, Result, Step};

/// Refuses a kernel of which the self-test would accept that it does nothing: the samples of each binding that it
/// writes are numbers, neither zeros nor what was there before would pass for all of them, and one number for all
/// passes only where the reference gives one, too.
///
/// # Errors
/// Which binding of which kernel.
pub fn testable(step: &Step, products: Products) -> Result<()> {
    let shader = emit(&step.kernel, &Caps::portable());
    let of = Candidate::new(step, &shader);
    let before = inputs(of.kernel, &shader.bindings, &of.lens);
    for samples in expected(&of, &before, products)? {
        let count = samples.places.len();
        let refuses = |numbers: &[f32]| samples.judge(numbers).is_some();
        let first = samples.values()[0];
        let differ = samples.values().iter().any(|value| *value != first);
        let passes = if !refuses(&vec![0.0; count]) {
            "zeros"
        } else if differ && !refuses(&vec![first as f32; count]) {
            "one number for all"
        } else if let Words::F32(numbers) = &before[samples.binding]
            && is_read(of.kernel, samples.binding)
            && !refuses(
                &samples
                    .places
                    .iter()
                    .map(|i| numbers[*i])
                    .collect::<Vec<_>>(),
            )
        {
            "what was there before"
        } else {
            continue;
        };
        return Err(Error::Plan(format!(
            "kernel {} of {} cannot be tested: in binding {}, {passes} would pass for what it writes",
            shader.name, of.label, samples.binding
        )));
    }
    Ok(())
}
