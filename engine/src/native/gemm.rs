//! Matrix products: both operands are packed into panels, those that never change once, and the result is made in
//! pieces that stay in the second-level cache until the expression that follows has been applied.

use std::sync::Arc;

use pulp::Arch;
use samora_shaders::{Gemm, View};

use super::code::{Code, Source};
use super::context::Context;
use super::device::{Scratch, each};
use super::lanes::{Block, scalars};
use super::leaf::{Readers, Run};
use super::micro::{Product, panels};
use super::pack::{DEPTH, Matrix};

/// Most rows and columns of a piece.
const PIECE: [usize; 2] = [256, 256];
/// Pieces that a product is cut into if they are large enough.
const PIECES: usize = 16;
/// Multiplications that are worth a piece.
const LEAST: usize = 1 << 20;

/// A product, ready to run.
#[derive(Debug)]
pub(super) struct GemmRunner {
    batch: usize,
    m: usize,
    n: usize,
    k: usize,
    /// Left and right operand.
    operands: [Matrix; 2],
    /// Those that never change, packed.
    frozen: [Option<Arc<[f32]>>; 2],
    /// Bindings that are read in packed form alone.
    packed_alone: Vec<usize>,
    /// Panels of a piece.
    piece: [usize; 2],
    readers: Readers,
    code: Code,
    block: usize,
    outputs: Vec<usize>,
}

impl GemmRunner {
    /// `frozen` packs an operand that never changes.
    pub(super) fn new(
        gemm: &Gemm,
        ids: impl Fn(usize) -> bool,
        arch: Arch,
        mut frozen: impl FnMut(&Matrix) -> Option<Arc<[f32]>>,
    ) -> Self {
        let gemm = &folded(gemm);
        let [rows, cols] = panels(arch);
        let a = Matrix::new(&gemm.a, gemm.batch, [0, 1], rows);
        let b = Matrix::new(&gemm.b, gemm.batch, [1, 0], cols);
        let frozen = [frozen(&a), frozen(&b)];
        let operands = [(&a, &frozen[0]), (&b, &frozen[1])];
        let unpacked = operands.iter().filter(|(_, packed)| packed.is_none());
        let mut unpacked: Vec<usize> = unpacked.map(|(matrix, _)| matrix.buffer).collect();
        unpacked.extend(gemm.leaves.iter().map(|leaf| leaf.buffer));
        let packed_alone = operands.map(|(matrix, _)| matrix.buffer);
        let packed_alone = packed_alone.into_iter().filter(|b| !unpacked.contains(b));
        let packed_alone = packed_alone.collect();
        let readers = Readers::new(&gemm.leaves, ids);
        let readings = readers.readings(false, |b| gemm.bindings[b].write);
        let code = Code::new(&Source {
            expr: &gemm.expr,
            leaves: &readings,
            pinned: None,
            phases: &[gemm.outputs.iter().map(|o| o.value).collect()],
            kept: true,
        });
        let down = gemm.m.div_ceil(PIECE[0]);
        let high = a.panels().div_ceil(down);
        let wanted = PIECES.div_ceil(gemm.batch * down);
        let most = (PIECE[1] / cols).min(b.panels());
        let least = LEAST.div_ceil(high * rows * cols * gemm.k);
        let wide = b.panels().div_ceil(wanted).max(least).clamp(1, most);
        Self {
            batch: gemm.batch,
            m: gemm.m,
            n: gemm.n,
            k: gemm.k,
            operands: [a, b],
            frozen,
            packed_alone,
            piece: [high, wide],
            readers,
            block: code.block().max(PIECE[1]),
            code,
            outputs: gemm.outputs.iter().map(|o| o.buffer).collect(),
        }
    }

    pub(super) fn reserve(&self, scratch: &mut Scratch) {
        scratch.reserve(&self.code, self.block, self.block);
        let [a, b] = &self.operands;
        let [high, wide] = self.piece;
        let tile = high * a.width * wide * b.width;
        scratch.tile.resize(scratch.tile.len().max(tile), 0.0);
        let packed = wide * b.width * DEPTH.min(self.k);
        scratch.packed.resize(scratch.packed.len().max(packed), 0.0);
    }

    /// Words that the left operand is packed into.
    pub(super) fn packed(&self) -> usize {
        let a = &self.operands[0];
        match self.frozen[0] {
            Some(_) => 0,
            None => a.words() * a.batches(),
        }
    }

    /// Whether it reads a binding other than in packed form, or writes it.
    pub(super) fn needs(&self, binding: usize) -> bool {
        !self.packed_alone.contains(&binding)
    }

    pub(super) fn run(&self, context: &Context<'_>) {
        let [a, b] = &self.operands;
        if self.frozen[0].is_none() {
            self.pack_left(context);
        }
        let left = match &self.frozen[0] {
            Some(packed) => packed,
            // SAFETY: packing has ended, and nothing else writes there.
            #[allow(unsafe_code)]
            None => unsafe { context.packed.read() },
        };
        let [high, wide] = self.piece;
        let [down, across] = [a.panels().div_ceil(high), b.panels().div_ceil(wide)];
        let pieces = self.batch * down * across;
        let work = high * a.width * wide * b.width * self.k;
        let together = (LEAST / work.max(1)).clamp(1, pieces);
        each(
            context.scratches,
            pieces.div_ceil(together),
            |group, scratch| {
                scalars(&self.code, 0, &self.readers, &context.bound, scratch);
                for piece in group * together..pieces.min((group + 1) * together) {
                    let (batch, rest) = (piece / (down * across), piece % (down * across));
                    self.piece(context, left, [batch, rest % down, rest / down], scratch);
                }
            },
        );
    }

    fn pack_left(&self, context: &Context<'_>) {
        let a = &self.operands[0];
        let source = context.bound.read(a.buffer);
        let all = a.panels() * a.batches();
        let together = (LEAST / 16 / (a.width * self.k)).clamp(1, all);
        each(context.scratches, all.div_ceil(together), |group, _| {
            for each in group * together..all.min((group + 1) * together) {
                let (batch, panel) = (each / a.panels(), each % a.panels());
                for first in (0..self.k).step_by(DEPTH) {
                    let depth = DEPTH.min(self.k - first);
                    let len = a.width * depth;
                    let at = batch * a.words() + a.pass(first) + panel * len;
                    let to = context.packed.cells(at, len);
                    a.pack(source, batch, panel, (first, depth), |i, x| to.set(i, x));
                }
            }
        });
    }

    fn piece(
        &self,
        context: &Context<'_>,
        left: &[f32],
        [batch, down, across]: [usize; 3],
        scratch: &mut Scratch,
    ) {
        let [a, b] = &self.operands;
        let [high, wide] = self.piece;
        let lefts = down * high..a.panels().min((down + 1) * high);
        let rights = across * wide..b.panels().min((across + 1) * wide);
        let (row, col) = (lefts.start * a.width, rights.start * b.width);
        let rows = self.m.min(lefts.end * a.width) - row;
        let cols = self.n.min(rights.end * b.width) - col;
        let Scratch { tile, packed, .. } = scratch;
        let tile = &mut tile[..rows * cols];
        let left = &left[batch.min(a.batches() - 1) * a.words()..];
        let right_batch = batch.min(b.batches() - 1);
        for first in (0..self.k).step_by(DEPTH) {
            let depth = DEPTH.min(self.k - first);
            let part = |panel: usize, width: usize| panel * width * depth;
            let left = &left[a.pass(first)..];
            let right = match &self.frozen[1] {
                Some(all) => {
                    let right = &all[right_batch * b.words() + b.pass(first)..];
                    &right[part(rights.start, b.width)..part(rights.end, b.width)]
                }
                None => {
                    let source = context.bound.read(b.buffer);
                    let len = part(1, b.width);
                    let packed = &mut packed[..rights.len() * len];
                    for (panel, to) in rights.clone().zip(packed.chunks_exact_mut(len)) {
                        b.pack(source, right_batch, panel, (first, depth), |i, x| to[i] = x);
                    }
                    &*packed
                }
            };
            context.arch.dispatch(Product {
                a: &left[part(lefts.start, a.width)..part(lefts.end, a.width)],
                rows,
                b: right,
                cols,
                depth,
                tile,
                first: first == 0,
            });
        }
        self.finish(
            context,
            (batch * self.m + row) * self.n + col,
            [rows, cols],
            scratch,
        );
    }

    /// Applies the expression to a piece whose first element is `i`, and stores it.
    fn finish(
        &self,
        context: &Context<'_>,
        i: usize,
        [rows, cols]: [usize; 2],
        scratch: &mut Scratch,
    ) {
        let Scratch {
            tile,
            lanes,
            scalars,
            runs,
            ..
        } = scratch;
        let together = (self.block / cols).clamp(1, rows);
        for first in (0..rows).step_by(together) {
            let rows = together.min(rows - first);
            runs.clear();
            let run = |row, len| Run {
                i: i + row * self.n,
                step: 1,
                len,
            };
            match cols == self.n {
                true => runs.push(run(first, rows * cols)),
                false => runs.extend((first..first + rows).map(|row| run(row, cols))),
            }
            let block = Block {
                arch: context.arch,
                readers: &self.readers,
                bound: &context.bound,
                runs,
                shift: 0,
                len: rows * cols,
                acc: &tile[first * cols..],
            };
            block.run(&self.code, 0, lanes, scalars);
            for (result, binding) in self.code.phases[0].results.iter().zip(&self.outputs) {
                block.store(block.arg(result, lanes, scalars), *binding);
            }
        }
    }
}

/// The product with its batch as more rows, where all batches have one right operand.
fn folded(gemm: &Gemm) -> Gemm {
    let mut folded = gemm.clone();
    let (a, b) = (&gemm.a.view, &gemm.b.view);
    let outer = b.shape.len() - 2;
    if gemm.batch == 1 || b.strides[..outer].iter().any(|step| *step != 0) {
        return folded;
    }
    if let Some(view) = a.reshape(&[gemm.batch * gemm.m, gemm.k]) {
        folded.a.view = view;
        folded.b.view = View {
            shape: b.shape[outer..].to_vec(),
            strides: b.strides[outer..].to_vec(),
            offset: b.offset,
        };
        folded.m *= gemm.batch;
        folded.batch = 1;
    }
    folded
}
