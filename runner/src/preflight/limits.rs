//! Whether the device can hold what the stages need.

use samora_engine::Device;
use samora_engine::plan;

use super::Findings;
use super::stages::Graphs;
use crate::data::memory;
use crate::pipeline::Pipeline;

/// Plans every stage for the device and allocates what it needs, once.
pub(super) fn examine(
    pipeline: &Pipeline,
    graphs: &Graphs<'_>,
    (device, fuse): (&Device, bool),
    findings: &mut Findings,
) {
    for stage in &pipeline.stages {
        let Some((_, built)) = graphs.get(stage.name()) else {
            continue;
        };
        let fits = plan(&built.graph, &built.wanted, device.planning(fuse)).and_then(|plan| {
            let bytes = plan.source_bytes(&built.graph).iter().sum::<u64>() + plan.slot_bytes();
            // What computes on the processor would be given what the machine does not have, and be killed for it.
            if device.info().is_processor() && bytes > memory::of_machine() {
                let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
                return Err(samora_engine::Error::Plan(format!(
                    "needs {:.1} GiB, the machine has {:.1} GiB; reduce the batch or the image size, or \
                     recompute more in the backward pass",
                    gib(bytes),
                    gib(memory::of_machine())
                )));
            }
            device.holds(&built.graph, &plan)
        });
        if let Err(error) = fits {
            findings.problem(format!("stage {}: {error}", stage.name()));
        }
    }
}
