//! The kernel of a group: its description with buffers bound, and what it costs.

use std::collections::HashSet;

use samora_shaders::{
    Access, Attention, AttentionPass, Binding, BufferType, Gemm, Kernel, Map, Output, Rows,
    RowsOutput, Tokens,
};

use super::types::{Bound, Place, Step};
use crate::fuse::{Group, merge};
use crate::lower::{Body, Buffer, Lowered};
use crate::{DType, Graph, Phase};

/// Everything that is decided before kernels are described.
pub(super) struct Planned<'a> {
    pub(super) graph: &'a Graph,
    pub(super) lowered: &'a Lowered,
    /// Computed values that have a buffer.
    pub(super) stored: &'a HashSet<Buffer>,
    /// Those that are kept as f16.
    pub(super) halves: &'a HashSet<Buffer>,
    pub(super) place: &'a dyn Fn(&Buffer) -> Place,
}

/// The kernel of a group; `None` when nothing it computes is stored.
pub(super) fn step(planned: &Planned<'_>, group: &Group) -> Option<Step> {
    let mut binder = Binder::new(planned);
    let kernel = match group.anchor.map(|n| (n, &planned.lowered.nodes[n].body)) {
        Some((n, Body::Attention(a))) => binder.attention(n, a),
        anchor => binder.merged(group, anchor)?,
    };
    Some(Step {
        flops: match &kernel {
            Kernel::Gemm(g) => 2 * (g.batch * g.m * g.n * g.k) as u64,
            Kernel::Attention(a) => attention_flops(a),
            Kernel::Map(_) | Kernel::Rows(_) => 0,
        },
        kernel,
        bound: binder.bound,
        label: label(planned.lowered, group),
        phase: phase(planned.lowered, group),
        bytes: binder.traffic as u64,
    })
}

/// Collects the bindings of one kernel.
struct Binder<'a> {
    planned: &'a Planned<'a>,
    bound: Vec<Bound>,
    bindings: Vec<Binding>,
    /// Bytes read and written, each buffer once each way.
    traffic: usize,
}

impl<'a> Binder<'a> {
    fn new(planned: &'a Planned<'a>) -> Self {
        Self {
            planned,
            bound: Vec::new(),
            bindings: Vec::new(),
            traffic: 0,
        }
    }

    /// Attention binds its inputs in order, then its outputs.
    fn attention(&mut self, n: usize, a: &Attention) -> Kernel {
        let node = &self.planned.lowered.nodes[n];
        node.inputs.iter().for_each(|b| self.bind(b, false));
        (0..node.lens.len())
            .for_each(|output| self.bind(&Buffer::Computed { node: n, output }, true));
        Kernel::Attention(Attention {
            bindings: self.bindings.clone(),
            ..a.clone()
        })
    }

    fn merged(&mut self, group: &Group, anchor: Option<(usize, &Body)>) -> Option<Kernel> {
        let lowered = self.planned.lowered;
        let mut merged = merge(lowered, group, self.planned.stored);
        if merged.elements.is_empty() && merged.rows.is_empty() {
            return None;
        }
        let operands = match anchor {
            Some((n, Body::Gemm(g))) => {
                [g.a.buffer, g.b.buffer].map(|operand| self.read(&lowered.nodes[n].inputs[operand]))
            }
            _ => [0; 2],
        };
        let reads: Vec<usize> = merged.reads.iter().map(|b| self.read(b)).collect();
        for leaf in &mut merged.leaves {
            // A coordinate reads no buffer.
            leaf.buffer = reads.get(leaf.buffer).copied().unwrap_or(0);
            if let Access::Gather { ids, .. } | Access::ScatterAdd { ids, .. } = &mut leaf.access {
                *ids = reads[*ids];
            }
        }
        let elements = self.writes(&merged.elements);
        let rows = self.writes(&merged.rows);
        let (bindings, leaves, expr) = (self.bindings.clone(), merged.leaves, merged.expr);
        Some(match anchor {
            Some((_, Body::Gemm(g))) => {
                let mut gemm = Gemm {
                    bindings,
                    leaves,
                    expr,
                    outputs: elements,
                    ..g.clone()
                };
                [gemm.a.buffer, gemm.b.buffer] = operands;
                Kernel::Gemm(gemm)
            }
            Some((_, Body::Rows(r))) => {
                let element = |&Output { buffer, value }| RowsOutput::Element { buffer, value };
                let row = |&Output { buffer, value }| RowsOutput::Row { buffer, value };
                let outputs = elements.iter().map(element).chain(rows.iter().map(row));
                Kernel::Rows(Rows {
                    rows: r.rows.clone(),
                    cols: r.cols.clone(),
                    bindings,
                    leaves,
                    expr,
                    stages: merged.stages,
                    outputs: outputs.collect(),
                })
            }
            _ => Kernel::Map(Map {
                len: group.len,
                bindings,
                leaves,
                expr,
                outputs: elements,
            }),
        })
    }

    fn writes(&mut self, outputs: &[(Buffer, usize)]) -> Vec<Output> {
        let write = |&(buffer, value): &(Buffer, usize)| Output {
            buffer: self.write(&buffer),
            value,
        };
        outputs.iter().map(write).collect()
    }

    /// The binding of a buffer that is read.
    fn read(&mut self, buffer: &Buffer) -> usize {
        match self.position(buffer) {
            Some(at) => at,
            None => {
                self.bind(buffer, false);
                self.bound.len() - 1
            }
        }
    }

    /// The binding of a buffer that is written; an update in place is read already.
    fn write(&mut self, buffer: &Buffer) -> usize {
        match self.position(buffer) {
            Some(at) => {
                self.bindings[at].write = true;
                self.bound[at].len = self.bound[at].len.max(self.len(buffer));
                self.traffic += self.bytes(buffer);
                at
            }
            None => {
                self.bind(buffer, true);
                self.bound.len() - 1
            }
        }
    }

    fn position(&self, buffer: &Buffer) -> Option<usize> {
        let place = (self.planned.place)(buffer);
        self.bound.iter().position(|b| b.place == place)
    }

    fn bind(&mut self, buffer: &Buffer, write: bool) {
        let place = (self.planned.place)(buffer);
        let graph = self.planned.graph;
        let unsigned = matches!(place, Place::Source(s)
            if graph.ty(graph.sources()[s].value).dtype == DType::U32);
        let ty = match unsigned {
            true => BufferType::U32,
            false if self.planned.halves.contains(buffer) => BufferType::F16,
            false => BufferType::F32,
        };
        self.bound.push(Bound {
            place,
            len: self.len(buffer),
        });
        self.bindings.push(Binding { ty, write });
        self.traffic += self.bytes(buffer);
    }

    fn bytes(&self, buffer: &Buffer) -> usize {
        let half = self.planned.halves.contains(buffer);
        self.len(buffer) * if half { 2 } else { 4 }
    }

    fn len(&self, buffer: &Buffer) -> usize {
        let Planned { graph, lowered, .. } = self.planned;
        match buffer {
            Buffer::Source(s) => graph.ty(graph.sources()[*s].value).len(),
            Buffer::Computed { node, output } => lowered.nodes[*node].lens[*output],
        }
    }
}

/// Two products forward; backward recomputes the scores: three for q, four for k and v. Pads of windows
/// take none worth counting.
fn attention_flops(a: &Attention) -> u64 {
    let pairs = match a.tokens {
        Tokens::Sequence { queries, keys } => queries * keys,
        Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        } => {
            // Tokens of one window along one axis take part with each other.
            let squares =
                |all: usize, window: usize| all / window * window.pow(2) + (all % window).pow(2);
            squares(height, window_h) * squares(width, window_w)
        }
    };
    let products = match a.pass {
        AttentionPass::Forward { .. } => 2,
        AttentionPass::BackwardQ { .. } => 3,
        AttentionPass::BackwardKv { .. } => 4,
    };
    2 * products * (a.batch * a.heads * pairs * a.head_dim) as u64
}

/// Names the anchor (or the last node) and counts the others.
fn label(lowered: &Lowered, group: &Group) -> String {
    let anchor = group.anchor.or(group.nodes.last().copied());
    let label = anchor.map_or("", |n| &lowered.nodes[n].label);
    match group.nodes.len() {
        0 | 1 => label.to_string(),
        n => format!("{label} +{}", n - 1),
    }
}

/// The last part of a step that any of the nodes belongs to.
fn phase(lowered: &Lowered, group: &Group) -> Phase {
    let phases = group.nodes.iter().map(|n| lowered.nodes[*n].phase);
    phases.max().unwrap_or_default()
}
