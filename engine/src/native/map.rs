//! Pointwise kernels.

use samora_shaders::Map;

use super::code::{Code, Source};
use super::context::Context;
use super::device::{Scratch, each};
use super::lanes::{Block, scalars};
use super::leaf::{Readers, Run};

/// Elements of a piece at least, and pieces at most as long as they have so many.
const PIECE: (usize, usize) = (1 << 13, 64);

/// A pointwise kernel, ready to run.
#[derive(Debug)]
pub(super) struct MapRunner {
    len: usize,
    readers: Readers,
    code: Code,
    block: usize,
    piece: usize,
    /// The binding of each result.
    outputs: Vec<usize>,
}

impl MapRunner {
    pub(super) fn new(map: &Map, ids: impl Fn(usize) -> bool) -> Self {
        let readers = Readers::new(&map.leaves, ids);
        let readings = readers.readings(true, |b| map.bindings[b].write);
        let code = Code::new(&Source {
            expr: &map.expr,
            leaves: &readings,
            pinned: None,
            phases: &[map.outputs.iter().map(|o| o.value).collect()],
            kept: true,
        });
        let block = code.block();
        let piece = map.len.div_ceil(PIECE.1).max(PIECE.0);
        Self {
            len: map.len,
            readers,
            block,
            piece: piece.next_multiple_of(block),
            code,
            outputs: map.outputs.iter().map(|o| o.buffer).collect(),
        }
    }

    pub(super) fn reserve(&self, scratch: &mut Scratch) {
        scratch.reserve(&self.code, self.block, 1);
    }

    pub(super) fn run(&self, context: &Context<'_>) {
        each(
            context.scratches,
            self.len.div_ceil(self.piece),
            |piece, scratch| {
                let end = self.len.min((piece + 1) * self.piece);
                scalars(&self.code, 0, &self.readers, &context.bound, scratch);
                for i in (piece * self.piece..end).step_by(self.block) {
                    let len = self.block.min(end - i);
                    let block = Block {
                        arch: context.arch,
                        readers: &self.readers,
                        bound: &context.bound,
                        runs: &[Run { i, step: 1, len }],
                        shift: 0,
                        len,
                        acc: &[],
                    };
                    block.run(&self.code, 0, &mut scratch.lanes, &scratch.scalars);
                    for (result, binding) in self.code.phases[0].results.iter().zip(&self.outputs) {
                        let values = block.arg(result, &scratch.lanes, &scratch.scalars);
                        block.store(values, *binding);
                    }
                }
            },
        );
    }
}
