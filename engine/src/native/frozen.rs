//! Operands of products that no step changes, packed once and shared by all kernels that read them alike.

use std::sync::Arc;

use super::pack::Matrix;
use crate::{Place, Schedule, Step, Tensor};

/// What never changes of a program.
#[derive(Debug)]
pub(super) struct Frozen<'a> {
    /// Of each source, what it holds for good.
    contents: Vec<Option<&'a Tensor>>,
    /// Of each source, in which ways it is packed.
    packed: Vec<Vec<(Matrix, Arc<Vec<f32>>)>>,
}

impl<'a> Frozen<'a> {
    /// The sources that start with something and that no step writes.
    pub(super) fn new(schedule: &Schedule, starts: &'a [Option<Tensor>]) -> Self {
        let mut contents: Vec<Option<&Tensor>> = starts.iter().map(Option::as_ref).collect();
        let written = schedule.steps.iter().flat_map(|s| s.step.written());
        for place in written {
            if let Place::Source(i) = place {
                contents[i] = None;
            }
        }
        schedule
            .copies
            .iter()
            .for_each(|(_, to)| contents[*to] = None);
        Self {
            packed: vec![Vec::new(); contents.len()],
            contents,
        }
    }

    /// The packed operand of a step, if nothing changes it.
    pub(super) fn pack(&mut self, step: &Step, matrix: &Matrix) -> Option<Arc<Vec<f32>>> {
        let Place::Source(source) = step.bound[matrix.buffer].place else {
            return None;
        };
        let contents = self.contents[source]?.as_f32();
        let known = &mut self.packed[source];
        // Bindings are of the kernel alone.
        let mut alike = matrix.clone();
        alike.buffer = 0;
        if let Some((_, packed)) = known.iter().find(|(other, _)| *other == alike) {
            return Some(Arc::clone(packed));
        }
        let packed = Arc::new(matrix.packed(contents));
        known.push((alike, Arc::clone(&packed)));
        Some(packed)
    }

    /// Words of all that is packed.
    pub(super) fn words(&self) -> usize {
        let all = self.packed.iter().flatten();
        all.map(|(_, packed)| packed.len()).sum()
    }
}
