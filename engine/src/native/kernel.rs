//! The kernels of a plan, ready to run.

use pulp::Arch;
use samora_shaders::{Access, Attention, BufferType, Kernel, Leaf};

use super::attention;
use super::code::Code;
use super::context::Context;
use super::device::Scratch;
use super::frozen::Frozen;
use super::gemm::GemmRunner;
use super::map::MapRunner;
use super::number::DIMENSIONS;
use super::pack::Matrix;
use super::rows::RowsRunner;
use crate::{Error, Result, Step};

/// Most buffers that a kernel binds, and that attention writes.
const BINDINGS: usize = 32;
const OUTPUTS: usize = 3;

/// A kernel, ready to run.
#[derive(Debug)]
pub(super) enum Runner {
    Map(MapRunner),
    Rows(RowsRunner),
    Gemm(Box<GemmRunner>),
    Attention(Attention),
}

impl Runner {
    /// Prepares a kernel; what never changes of what it multiplies is `frozen`.
    ///
    /// # Errors
    /// A kernel that this device has no way for.
    pub(super) fn new(step: &Step, arch: Arch, frozen: &mut Frozen<'_>) -> Result<Self> {
        let bindings = step.kernel.bindings();
        let refuse = |what: &str| Err(Error::Plan(format!("{}: {what}", step.label)));
        if bindings.iter().any(|b| b.ty == BufferType::F16) {
            return refuse("values are kept as f16, which needs a GPU; plan with Planning::exact");
        }
        if bindings.len() > BINDINGS {
            let bound = bindings.len();
            return refuse(&format!("binds {bound} buffers; at most {BINDINGS} are"));
        }
        let ids = |b: usize| bindings[b].ty == BufferType::U32;
        let dimensions = match &step.kernel {
            Kernel::Map(m) => dimensions(&m.leaves),
            Kernel::Gemm(g) => {
                let moved = [&g.a.access, &g.b.access].into_iter().flatten();
                moved.map(rank).fold(dimensions(&g.leaves), usize::max)
            }
            Kernel::Rows(r) => dimensions(&r.leaves)
                .max(r.rows.shape.len())
                .max(r.cols.shape.len()),
            Kernel::Attention(_) => 0,
        };
        if dimensions > DIMENSIONS {
            return refuse(&format!(
                "has {dimensions} dimensions; at most {DIMENSIONS} can be indexed"
            ));
        }
        Ok(match &step.kernel {
            Kernel::Map(m) => Self::Map(MapRunner::new(m, ids)),
            Kernel::Rows(r) => Self::Rows(RowsRunner::new(r, ids)),
            Kernel::Gemm(g) => {
                let pack = |matrix: &Matrix| frozen.pack(step, matrix);
                Self::Gemm(Box::new(GemmRunner::new(g, ids, arch, pack)))
            }
            Kernel::Attention(a) => Self::Attention(a.clone()),
        })
    }

    /// Makes room for what a thread needs.
    pub(super) fn reserve(&self, scratch: &mut Scratch) {
        match self {
            Self::Map(m) => m.reserve(scratch),
            Self::Rows(r) => r.reserve(scratch),
            Self::Gemm(g) => g.reserve(scratch),
            Self::Attention(_) => {}
        }
    }

    /// Words that it packs operands into.
    pub(super) fn packed(&self) -> usize {
        match self {
            Self::Gemm(g) => g.packed(),
            Self::Map(_) | Self::Rows(_) | Self::Attention(_) => 0,
        }
    }

    /// Whether it reads or writes a binding in each step.
    pub(super) fn needs(&self, binding: usize) -> bool {
        match self {
            Self::Gemm(g) => g.needs(binding),
            Self::Map(_) | Self::Rows(_) | Self::Attention(_) => true,
        }
    }

    pub(super) fn run(&self, context: &Context<'_>) {
        match self {
            Self::Map(m) => m.run(context),
            Self::Rows(r) => r.run(context),
            Self::Gemm(g) => g.run(context),
            Self::Attention(a) => run_attention(a, context),
        }
    }
}

impl Scratch {
    /// Makes room for blocks of `len` elements in so many runs.
    pub(super) fn reserve(&mut self, code: &Code, len: usize, runs: usize) {
        let registers = self.lanes.len().max(code.registers);
        self.lanes.resize(registers, Vec::new());
        for lanes in &mut self.lanes[..code.registers] {
            lanes.resize(lanes.len().max(len), 0.0);
        }
        let nodes = self.scalars.len().max(code.expr.nodes.len());
        self.scalars.resize(nodes, 0.0);
        let stages = self.reduced.len().max(code.phases.len());
        self.reduced.resize(stages, (0.0, 0.0));
        self.runs.reserve(runs.saturating_sub(self.runs.len()));
    }
}

fn dimensions(leaves: &[Leaf]) -> usize {
    let ranks = leaves.iter().map(|leaf| rank(&leaf.access));
    ranks.max().unwrap_or(0)
}

/// Dimensions that an access decomposes elements into.
fn rank(access: &Access) -> usize {
    match access {
        Access::Strided(view) | Access::Gather { source: view, .. } => view.shape.len(),
        Access::ScatterAdd { source, .. } => source.shape.len(),
        Access::Coord { shape, .. } => shape.len(),
        Access::Affine { shape, axes, .. } => shape.len().max(axes.len()),
        Access::Resize { .. } | Access::ResizeAdjoint { .. } => 3,
        Access::Uniform { .. } => 1,
    }
}

/// Attention binds what it writes after what it reads, in the order of its outputs.
fn run_attention(a: &Attention, context: &Context<'_>) {
    let bound = &context.bound;
    let mut reads: [&[f32]; BINDINGS] = [&[]; BINDINGS];
    let mut writes: [&mut [f32]; OUTPUTS] = std::array::from_fn(|_| &mut [][..]);
    let mut written = 0;
    for (b, read) in reads.iter_mut().enumerate().take(a.bindings.len()) {
        if bound.writes(b) {
            // SAFETY: each output is a buffer of its own, taken once.
            #[allow(unsafe_code)]
            let output = unsafe { bound.whole(b) };
            writes[written] = output;
            written += 1;
        } else {
            *read = bound.read(b);
        }
    }
    attention::run(context.arch, a, &reads, &mut writes[..written]);
}
