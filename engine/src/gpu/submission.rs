//! Where a step is cut into submissions.

use std::ops::Range;

use crate::ScheduledStep;

/// Work of one submission: half a second at 100 GFLOP/s. Drivers reset a device that is busy with one
/// submission for too long, Windows after two seconds.
const LIMIT: u64 = 50_000_000_000;
/// Floating-point operations that take as long as moving a byte.
const FLOPS_PER_BYTE: u64 = 10;

/// Ranges of kernels to submit together; a small plan is a single one.
pub(super) fn submissions(steps: &[ScheduledStep]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut work) = (0, 0);
    for (i, ScheduledStep { step, .. }) in steps.iter().enumerate() {
        let cost = step.flops + FLOPS_PER_BYTE * step.bytes;
        if work + cost > LIMIT && i > start {
            ranges.push(start..i);
            (start, work) = (i, 0);
        }
        work += cost;
    }
    ranges.push(start..steps.len());
    ranges
}

#[cfg(test)]
mod tests {
    use samora_shaders::{Expr, Kernel, Map};

    use super::*;
    use crate::{Phase, Step};

    fn step(flops: u64) -> ScheduledStep {
        let kernel = Kernel::Map(Map {
            len: 1,
            bindings: Vec::new(),
            leaves: Vec::new(),
            expr: Expr::default(),
            outputs: Vec::new(),
        });
        let step = Step {
            kernel,
            bound: Vec::new(),
            label: String::new(),
            phase: Phase::Forward,
            flops,
            bytes: 0,
        };
        ScheduledStep { step, shader: None }
    }

    #[test]
    fn only_large_plans_are_cut() {
        let ends = |flops: &[u64]| -> Vec<usize> {
            let steps: Vec<ScheduledStep> = flops.iter().map(|f| step(*f)).collect();
            let ranges = submissions(&steps);
            let starts: Vec<usize> = ranges.iter().map(|r| r.start).collect();
            let ends: Vec<usize> = ranges.iter().map(|r| r.end).collect();
            assert_eq!(starts[0], 0);
            assert_eq!(starts[1..], ends[..ends.len() - 1]);
            ends
        };
        assert_eq!(ends(&[]), [0]);
        assert_eq!(ends(&[LIMIT / 2, LIMIT / 2]), [2]);
        assert_eq!(ends(&[LIMIT / 2, LIMIT, 2 * LIMIT, 1, 1]), [1, 2, 3, 5]);
    }
}
