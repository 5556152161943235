//! Row reductions. Where columns follow each other in memory, blocks are parts of a row; else blocks are rows beside
//! each other, which go through their columns together.

use samora_shaders::{Id, Reduce, Rows, RowsOutput, Stage, View};

use super::code::{Arg, Code, Source};
use super::context::Context;
use super::device::{Scratch, each};
use super::lanes::{self, Block, scalars};
use super::leaf::{Readers, Run, rows};

/// Elements of a piece at least.
const PIECE: usize = 1 << 13;
/// Columns that are worth a block.
const LEAST_COLUMNS: usize = 32;
/// Most columns of a row that stays in registers from stage to stage.
const KEPT: usize = 1024;
/// Columns that rows beside each other add up before they add to their totals.
const CHUNK: usize = 64;

/// A row kernel, ready to run.
#[derive(Debug)]
pub(super) struct RowsRunner {
    rows: View,
    cols: View,
    readers: Readers,
    /// A phase for each stage, for the results of rows, and for those of elements.
    code: Code,
    stages: Vec<Stage>,
    /// The bindings of results of rows and of elements.
    outputs: [Vec<usize>; 2],
    /// Whether blocks are rows beside each other.
    beside: bool,
    /// Elements of a block.
    block: usize,
    /// Rows of a piece.
    piece: usize,
}

impl RowsRunner {
    pub(super) fn new(r: &Rows, ids: impl Fn(usize) -> bool) -> Self {
        let (rows, cols) = (r.rows.simplified(), r.cols.simplified());
        let (count, columns) = (rows.len(), cols.len());
        let successive = |view: &View| view.strides.last().is_none_or(|step| *step == 1);
        let readers = Readers::new(&r.leaves, ids);
        // Elements a row apart are found one by one where a leaf does not lie like the elements.
        let long = columns >= LEAST_COLUMNS.min(count) || !readers.lie_in_order();
        let beside = count > 1 && !(successive(&cols) && long);
        let direct = !beside && cols.strides.len() <= 1 && successive(&cols);
        let readings = readers.readings(direct, |b| r.bindings[b].write);
        let [mut of_rows, mut of_elements] = [Vec::new(), Vec::new()];
        let [mut row_values, mut element_values]: [Vec<Id>; 2] = [Vec::new(), Vec::new()];
        for output in &r.outputs {
            match *output {
                RowsOutput::Row { buffer, value } => {
                    of_rows.push(buffer);
                    row_values.push(value);
                }
                RowsOutput::Element { buffer, value } => {
                    of_elements.push(buffer);
                    element_values.push(value);
                }
            }
        }
        let mut phases: Vec<Vec<Id>> = r.stages.iter().map(|s| vec![s.value]).collect();
        phases.extend([row_values, element_values]);
        let kept = !beside && columns <= KEPT;
        let code = Code::new(&Source {
            expr: &r.expr,
            leaves: &readings,
            pinned: beside.then_some(r.stages.len()),
            phases: &phases,
            kept,
        });
        let block = match (beside, kept) {
            (true, _) => code.block().min(count.div_ceil(16).next_multiple_of(16)),
            (false, true) => columns,
            (false, false) => code.block(),
        };
        let piece = match beside {
            true => block,
            false => (PIECE / columns).max(1),
        };
        Self {
            rows,
            cols,
            readers,
            code,
            stages: r.stages.clone(),
            outputs: [of_rows, of_elements],
            beside,
            block,
            piece,
        }
    }

    pub(super) fn reserve(&self, scratch: &mut Scratch) {
        scratch.reserve(&self.code, self.block, self.block);
        if self.beside {
            // Sums on their way to the totals.
            let len = scratch.tile.len().max(self.block);
            scratch.tile.resize(len, 0.0);
        }
    }

    pub(super) fn run(&self, context: &Context<'_>) {
        let count = self.rows.len();
        each(
            context.scratches,
            count.div_ceil(self.piece),
            |piece, scratch| {
                let first = piece * self.piece;
                let end = count.min(first + self.piece);
                scalars(&self.code, 0, &self.readers, &context.bound, scratch);
                match self.beside {
                    true => self.rows_beside(context, first, end - first, scratch),
                    false => (first..end).for_each(|row| self.row(context, row, scratch)),
                }
            },
        );
    }

    /// One row, a block of columns after another.
    fn row(&self, context: &Context<'_>, row: usize, scratch: &mut Scratch) {
        let start = self.rows.index(row);
        let mut runs = std::mem::take(&mut scratch.runs);
        for (k, stage) in self.stages.iter().enumerate() {
            let mut total = match stage.reduce {
                Reduce::Sum => (0.0, 0.0),
                Reduce::Max => (f32::MIN, 0.0),
            };
            self.columns(context, start, &mut runs, |first, block| {
                block.run(&self.code, k, &mut scratch.lanes, &scratch.scalars);
                let result = &self.code.phases[k].results[0];
                let values = block.arg(result, &scratch.lanes, &scratch.scalars);
                match stage.reduce {
                    Reduce::Sum => total.0 += lanes::sum(context.arch, values, block.len),
                    Reduce::Max => {
                        if let Some((most, at)) = lanes::max(context.arch, values, total.0) {
                            total = (most, (first + at) as f32);
                        }
                    }
                }
            });
            scratch.reduced[k] = total;
            scalars(&self.code, k + 1, &self.readers, &context.bound, scratch);
        }
        let stages = self.stages.len();
        let of_row = &self.code.phases[stages];
        for (result, binding) in of_row.results.iter().zip(&self.outputs[0]) {
            if let Arg::Scalar(id) = result {
                context.bound.cells(*binding).set(row, scratch.scalars[*id]);
            }
        }
        if !self.outputs[1].is_empty() {
            self.columns(context, start, &mut runs, |_, block| {
                self.store(block, stages + 1, 1, scratch);
            });
        }
        scratch.runs = runs;
    }

    /// Calls `each` with the first column of every block of a row, and the block.
    fn columns(
        &self,
        context: &Context<'_>,
        start: usize,
        runs: &mut Vec<Run>,
        mut each: impl FnMut(usize, &Block<'_>),
    ) {
        let columns = self.cols.len();
        for first in (0..columns).step_by(self.block) {
            let len = self.block.min(columns - first);
            elements(&self.cols, first, len, runs);
            let block = self.block_of(context, runs, start, len);
            each(first, &block);
        }
    }

    /// Rows beside each other.
    fn rows_beside(&self, context: &Context<'_>, first: usize, len: usize, scratch: &mut Scratch) {
        let mut runs = std::mem::take(&mut scratch.runs);
        let mut partial = std::mem::take(&mut scratch.tile);
        let partial_sums = &mut partial[..len];
        elements(&self.rows, first, len, &mut runs);
        let columns = self.cols.len();
        let block = |column| self.block_of(context, &runs, self.cols.index(column), len);
        for (k, stage) in self.stages.iter().enumerate() {
            let mut total = std::mem::take(&mut scratch.lanes[2 * k]);
            let mut places = std::mem::take(&mut scratch.lanes[2 * k + 1]);
            total[..len].fill(match stage.reduce {
                Reduce::Sum => 0.0,
                Reduce::Max => f32::MIN,
            });
            places[..len].fill(0.0);
            for chunk in (0..columns).step_by(CHUNK) {
                partial_sums.fill(0.0);
                for column in chunk..columns.min(chunk + CHUNK) {
                    let block = block(column);
                    block.run(&self.code, k, &mut scratch.lanes, &scratch.scalars);
                    let result = &self.code.phases[k].results[0];
                    let values = block.arg(result, &scratch.lanes, &scratch.scalars);
                    match stage.reduce {
                        Reduce::Sum => lanes::add(context.arch, values, partial_sums),
                        Reduce::Max => {
                            let best = (&mut total[..len], &mut places[..len]);
                            lanes::keep_larger(context.arch, values, column, best);
                        }
                    }
                }
                if stage.reduce == Reduce::Sum {
                    let sums = lanes::Lanes::Each(partial_sums);
                    lanes::add(context.arch, sums, &mut total[..len]);
                }
            }
            scratch.lanes[2 * k] = total;
            scratch.lanes[2 * k + 1] = places;
        }
        let stages = self.stages.len();
        if !self.outputs[0].is_empty() {
            let numbers = [Run {
                i: first,
                step: 1,
                len,
            }];
            let block = self.block_of(context, &numbers, 0, len);
            self.store(&block, stages, 0, scratch);
        }
        if !self.outputs[1].is_empty() {
            for column in 0..columns {
                self.store(&block(column), stages + 1, 1, scratch);
            }
        }
        scratch.runs = runs;
        scratch.tile = partial;
    }

    /// Computes and stores the results of rows (0) or of elements (1).
    fn store(&self, block: &Block<'_>, phase: usize, kind: usize, scratch: &mut Scratch) {
        block.run(&self.code, phase, &mut scratch.lanes, &scratch.scalars);
        let results = &self.code.phases[phase].results;
        for (result, binding) in results.iter().zip(&self.outputs[kind]) {
            let values = block.arg(result, &scratch.lanes, &scratch.scalars);
            block.store(values, *binding);
        }
    }

    fn block_of<'a>(
        &'a self,
        context: &'a Context<'_>,
        runs: &'a [Run],
        shift: usize,
        len: usize,
    ) -> Block<'a> {
        Block {
            arch: context.arch,
            readers: &self.readers,
            bound: &context.bound,
            runs,
            shift,
            len,
            acc: &[],
        }
    }
}

/// The elements of a view, `len` from `first` on, as runs.
fn elements(view: &View, first: usize, len: usize, runs: &mut Vec<Run>) {
    runs.clear();
    let step = view.strides.last().copied().unwrap_or(1);
    rows(&view.shape, first, len, |c, len| {
        let terms = view.strides.iter().zip(c);
        let i = view.offset + terms.map(|(stride, x)| stride * x).sum::<usize>();
        runs.push(Run { i, step, len });
    });
}
