//! What a plan is.

use std::collections::{HashMap, HashSet};

use samora_shaders::Kernel;
use serde::{Deserialize, Serialize};

use crate::fuse::MAX_BINDINGS;
use crate::{Graph, Phase, SourceKind, Value};

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Place {
    /// The buffer of [`Graph::sources`]`[i]`.
    Source(usize),
    /// Part of a slot, which other values share.
    Slot {
        /// Index into [`Plan::slots`].
        slot: usize,
        /// Word where it starts.
        first: usize,
    },
}

/// A buffer that a kernel is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Where it is.
    pub place: Place,
    /// Elements of the value in it; a slot may have room for more.
    pub len: usize,
}

/// One kernel of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it computes.
    pub kernel: Kernel,
    /// What each binding of the kernel is bound to.
    pub bound: Vec<Bound>,
    /// Scope paths and ops of the nodes it fuses.
    pub label: String,
    /// The part of the training step that it belongs to.
    pub phase: Phase,
    /// Floating-point operations of products and attention.
    pub flops: u64,
    /// Bytes read and written, each buffer once.
    pub bytes: u64,
}

/// Tiles that a large GPU computes at once.
const GPU_WORKERS: usize = 192;

/// How a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planning {
    /// Nodes are grouped into kernels; else each is a kernel.
    pub fuse: bool,
    /// What products read is kept as f16, for devices that round it to that.
    pub halves: bool,
    /// Elements from which a value is kept so: fewer are not worth it.
    pub least_half: usize,
    /// How many tiles of a product the device computes at once, more or less: sums and products with few results are
    /// split until there are about as many.
    pub workers: usize,
    /// Products find windows of images and weights in another order themselves, instead of reading copies: for devices
    /// that run descriptions of kernels.
    pub direct: bool,
    /// Storage buffers that one kernel may bind.
    pub bindings: usize,
    /// Bytes of each.
    pub binding_bytes: u64,
}

impl Planning {
    /// In f32, for any adapter.
    pub const fn exact(fuse: bool) -> Self {
        Self {
            fuse,
            halves: false,
            least_half: 4096,
            workers: GPU_WORKERS,
            direct: false,
            bindings: MAX_BINDINGS,
            binding_bytes: u64::MAX,
        }
    }
}

/// A plan: everything a program needs besides the weights.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kernels in order.
    pub steps: Vec<Step>,
    /// 32-bit words of each slot.
    pub slots: Vec<usize>,
    /// The values in slots that are alive when most words are, with the scope path and op of each, and its words.
    pub peak: Vec<(String, usize)>,
    /// Copies into sources after the last kernel, where an update could not be made in place.
    pub copies: Vec<(Place, usize)>,
    /// Where each wanted value is after a step.
    pub outputs: HashMap<Value, Place>,
    /// Indices of [`Graph::sources`] that are kept as f16.
    pub half_sources: HashSet<usize>,
}

impl Step {
    /// Elements of each binding.
    pub fn lens(&self) -> Vec<usize> {
        self.bound.iter().map(|bound| bound.len).collect()
    }

    /// The places it reads from or writes to.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.bound.iter().map(|bound| bound.place)
    }

    /// The places it writes.
    pub fn written(&self) -> impl Iterator<Item = Place> {
        let bound = self.bound.iter().zip(self.kernel.bindings());
        bound.filter(|(_, b)| b.write).map(|(bound, _)| bound.place)
    }
}

impl Plan {
    /// Floating-point operations of one step.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|s| s.flops).sum()
    }

    /// Bytes that the kernels of one step read and write, each buffer of a kernel once.
    pub fn bytes(&self) -> u64 {
        self.steps.iter().map(|s| s.bytes).sum()
    }

    /// Largest number of words alive at once: no plan with this order needs less.
    pub fn live(&self) -> usize {
        self.peak.iter().map(|(_, words)| words).sum()
    }

    /// Bytes of all slots.
    pub fn slot_bytes(&self) -> u64 {
        4 * self.slots.iter().sum::<usize>() as u64
    }

    /// Bytes of the sources of the plan's graph by kind: (inputs, parameters, state, constants).
    pub fn source_bytes(&self, graph: &Graph) -> [u64; 4] {
        let mut bytes = [0; 4];
        for (i, s) in graph.sources().iter().enumerate() {
            let class = match s.kind {
                SourceKind::Input => 0,
                SourceKind::Param(_) => 1,
                SourceKind::State(_) => 2,
                SourceKind::Constant(_) => 3,
            };
            let each = if self.half_sources.contains(&i) { 2 } else { 4 };
            bytes[class] += each * graph.ty(s.value).len() as u64;
        }
        bytes
    }
}
