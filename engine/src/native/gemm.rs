//! Matrix products: both operands are packed into panels, those that never change once, those that several pieces read
//! before them, and the result is made in pieces that stay in the second-level cache until the expression that follows
//! has been applied.

use std::ops::Range;
use std::sync::Arc;

use pulp::Arch;
use samora_shaders::{Gemm, Operand, View};

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
    operands: [Side; 2],
    /// Bindings that are read in packed form alone.
    packed_alone: Vec<usize>,
    /// Panels of a piece.
    piece: [usize; 2],
    readers: Readers,
    code: Code,
    block: usize,
    outputs: Vec<usize>,
}

/// An operand.
#[derive(Debug)]
struct Side {
    matrix: Matrix,
    /// All of it, packed once, if it never changes.
    frozen: Option<Arc<Vec<f32>>>,
    /// Where all of it is packed before the pieces, if several read the same; else each packs its part.
    shared: Option<usize>,
}

impl Side {
    /// Words of all of it.
    fn words(&self) -> usize {
        self.matrix.words() * self.matrix.batches()
    }

    /// Packs all of it where the pieces find it.
    fn share(&self, context: &Context<'_>, at: usize, k: usize) {
        let matrix = &self.matrix;
        let source = context.bound.read(matrix.buffer);
        let together = (LEAST / 16 / (matrix.width * k)).clamp(1, matrix.panels());
        let groups = matrix.panels().div_ceil(together);
        each(context.scratches, groups * matrix.batches(), |piece, _| {
            let (batch, group) = (piece / groups, piece % groups);
            let panels = group * together..matrix.panels().min((group + 1) * together);
            for first in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - first);
                let len = matrix.width * depth;
                let of_pass = batch * matrix.words() + matrix.pass(first);
                let to = at + of_pass + panels.start * len;
                let to = context.packed.cells(to, panels.len() * len);
                let part = (first, depth);
                matrix.pack(source, batch, panels.clone(), part, |i, x| to.set(i, x));
            }
        });
    }

    /// Some panels of a pass, packed.
    fn panels<'a>(
        &'a self,
        context: &'a Context<'_>,
        batch: usize,
        panels: &Range<usize>,
        (first, depth): (usize, usize),
        packed: &'a mut [f32],
    ) -> &'a [f32] {
        let matrix = &self.matrix;
        let batch = batch.min(matrix.batches() - 1);
        let len = matrix.width * depth;
        let all = match (&self.frozen, self.shared) {
            (Some(all), _) => all.as_slice(),
            // SAFETY: packing has ended, and nothing else writes there.
            #[allow(unsafe_code)]
            (None, Some(at)) => unsafe { &context.packed.read()[at..] },
            (None, None) => {
                let packed = &mut packed[..panels.len() * len];
                let source = context.bound.read(matrix.buffer);
                let part = (first, depth);
                matrix.pack(source, batch, panels.clone(), part, |i, x| packed[i] = x);
                return packed;
            }
        };
        let of_pass = batch * matrix.words() + matrix.pass(first);
        &all[of_pass + panels.start * len..of_pass + panels.end * len]
    }
}

impl GemmRunner {
    /// `frozen` packs an operand that never changes.
    pub(super) fn new(
        gemm: &Gemm,
        ids: impl Fn(usize) -> bool,
        arch: Arch,
        mut frozen: impl FnMut(&Matrix) -> Option<Arc<Vec<f32>>>,
    ) -> Self {
        let gemm = &folded(gemm);
        let [rows, cols] = panels(arch);
        let mut side = |operand: &Operand, dims, width| {
            let matrix = Matrix::new(operand, gemm.batch, dims, width);
            Side {
                frozen: frozen(&matrix),
                matrix,
                shared: None,
            }
        };
        let mut operands = [side(&gemm.a, [0, 1], rows), side(&gemm.b, [1, 0], cols)];
        let packed = |side: &&Side| side.frozen.is_some();
        let buffer = |side: &Side| side.matrix.buffer;
        let unpacked = operands.iter().filter(|side| !packed(side)).map(buffer);
        let mut unpacked: Vec<usize> = unpacked.collect();
        unpacked.extend(gemm.leaves.iter().map(|leaf| leaf.buffer));
        let packed_alone = operands.iter().filter(packed).map(buffer);
        let packed_alone = packed_alone.filter(|b| !unpacked.contains(b)).collect();
        let readers = Readers::new(&gemm.leaves, ids);
        let readings = readers.readings(false, |b| gemm.bindings[b].write);
        let code = Code::new(&Source {
            expr: &gemm.expr,
            leaves: &readings,
            pinned: None,
            phases: &[gemm.outputs.iter().map(|o| o.value).collect()],
            kept: true,
        });
        let [lefts, rights] = operands.each_ref().map(|side| side.matrix.panels());
        let down = gemm.m.div_ceil(PIECE[0]);
        let high = lefts.div_ceil(down);
        let wanted = PIECES.div_ceil(gemm.batch * down);
        let most = (PIECE[1] / cols).min(rights);
        let least = LEAST.div_ceil(high * rows * cols * gemm.k);
        let wide = rights.div_ceil(wanted).max(least).clamp(1, most);
        let readers_of = [rights.div_ceil(wide), lefts.div_ceil(high)];
        let mut at = 0;
        for (side, readers) in operands.iter_mut().zip(readers_of) {
            if side.frozen.is_none() && readers > 1 {
                side.shared = Some(at);
                at += side.words();
            }
        }
        Self {
            batch: gemm.batch,
            m: gemm.m,
            n: gemm.n,
            k: gemm.k,
            operands,
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
        let [high, wide] = self.piece;
        let [a, b] = self.operands.each_ref().map(|side| side.matrix.width);
        let tile = high * a * wide * b;
        scratch.tile.resize(scratch.tile.len().max(tile), 0.0);
        let panels = self.operands.iter().zip(self.piece);
        for ((side, panels), packed) in panels.zip(&mut scratch.packed) {
            if side.frozen.is_none() && side.shared.is_none() {
                let words = panels * side.matrix.width * DEPTH.min(self.k);
                packed.resize(packed.len().max(words), 0.0);
            }
        }
    }

    /// Words that operands are packed into before the pieces.
    pub(super) fn packed(&self) -> usize {
        let shared = self.operands.iter().filter(|side| side.shared.is_some());
        shared.map(Side::words).sum()
    }

    /// Whether it reads a binding other than in packed form, or writes it.
    pub(super) fn needs(&self, binding: usize) -> bool {
        !self.packed_alone.contains(&binding)
    }

    pub(super) fn run(&self, context: &Context<'_>) {
        for side in &self.operands {
            if let Some(at) = side.shared {
                side.share(context, at, self.k);
            }
        }
        let [a, b] = self.operands.each_ref().map(|side| &side.matrix);
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
                    self.piece(context, [batch, rest % down, rest / down], scratch);
                }
            },
        );
    }

    fn piece(
        &self,
        context: &Context<'_>,
        [batch, down, across]: [usize; 3],
        scratch: &mut Scratch,
    ) {
        let [left, right] = &self.operands;
        let [a, b] = [&left.matrix, &right.matrix];
        let [high, wide] = self.piece;
        let lefts = down * high..a.panels().min((down + 1) * high);
        let rights = across * wide..b.panels().min((across + 1) * wide);
        let (row, col) = (lefts.start * a.width, rights.start * b.width);
        let rows = self.m.min(lefts.end * a.width) - row;
        let cols = self.n.min(rights.end * b.width) - col;
        let Scratch { tile, packed, .. } = scratch;
        let tile = &mut tile[..rows * cols];
        let [of_left, of_right] = packed;
        for first in (0..self.k).step_by(DEPTH) {
            let part = (first, DEPTH.min(self.k - first));
            context.arch.dispatch(Product {
                a: left.panels(context, batch, &lefts, part, of_left),
                rows,
                b: right.panels(context, batch, &rights, part, of_right),
                cols,
                depth: part.1,
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
