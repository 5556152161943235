//! What an adapter offers, and what of it a plan needs.

use super::types::{Plan, Planning};
use crate::schedule::slot_label;
use crate::{Error, Graph, Result};

/// Fails where a kernel binds more or larger buffers than it may.
///
/// # Errors
/// The first such kernel, or value.
pub(crate) fn check(graph: &Graph, plan: &Plan, planning: &Planning) -> Result<()> {
    let limit = |label: &str, what, needed: u64, offered: u64| match needed <= offered {
        true => Ok(()),
        false => Err(Error::Limit {
            label: label.into(),
            what,
            needed,
            offered,
        }),
    };
    for step in &plan.steps {
        let (bound, offered) = (step.bound.len() as u64, planning.bindings as u64);
        limit(&step.label, "storage buffers in a kernel", bound, offered)?;
    }
    let bytes = |label: &str, words: usize| {
        let what = "MiB in a storage buffer";
        let needed = 4 * words as u64;
        match needed <= planning.binding_bytes {
            true => Ok(()),
            false => limit(
                label,
                what,
                needed.div_ceil(1 << 20),
                planning.binding_bytes >> 20,
            ),
        }
    };
    for (i, source) in graph.sources().iter().enumerate() {
        let half = plan.half_sources.contains(&i);
        let len = graph.ty(source.value).len();
        bytes(&source.name, if half { len.div_ceil(2) } else { len })?;
    }
    for (slot, &words) in plan.slots.iter().enumerate() {
        bytes(slot_label(plan.steps.iter(), slot), words)?;
    }
    Ok(())
}
