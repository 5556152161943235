//! Operands of products that no step changes, packed once and shared by all kernels that read them alike.

use std::collections::HashMap;
use std::sync::Arc;

use samora_shaders::Access;

use super::leaf::Moved;
use super::pack::Matrix;
use crate::{Place, Schedule, Step, Tensor};

/// What never changes of a program.
#[derive(Debug)]
pub(super) struct Frozen<'a> {
    /// Of each source, what it holds for good.
    contents: Vec<Option<&'a Tensor>>,
    packed: HashMap<(usize, Matrix, String), Arc<[f32]>>,
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
            contents,
            packed: HashMap::new(),
        }
    }

    /// The packed operand of a step, if nothing changes it.
    pub(super) fn pack(
        &mut self,
        step: &Step,
        matrix: &Matrix,
        access: Option<&Access>,
    ) -> Option<Arc<[f32]>> {
        let Place::Source(source) = step.bound[matrix.buffer].place else {
            return None;
        };
        let contents = self.contents[source]?.as_f32();
        // Bindings are of the kernel alone.
        let mut key = matrix.clone();
        key.buffer = 0;
        let moved = access.map(Moved::new);
        let packed = self.packed.entry((source, key, format!("{access:?}")));
        let packed = packed.or_insert_with(|| matrix.packed(contents, moved.as_ref()).into());
        Some(Arc::clone(packed))
    }

    /// Words of all that is packed.
    pub(super) fn words(&self) -> usize {
        self.packed.values().map(|packed| packed.len()).sum()
    }
}
