//! The plan of a step: kernels in order, the buffers they are bound to, and what they cost.
//!
//! Every buffer of a plan exists before the first step. Values that live at different times share a
//! slot; each slot is a buffer of its own, because WebGPU forbids one kernel to read and write
//! parts of the same buffer.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use samora_shaders::{
    Access, Attention, AttentionPass, Binding, BufferType, Gemm, Kernel, Map, Output, Rows,
    RowsOutput, Scalar, Stage, Tokens,
};

use crate::fuse::{self, Fused, Group, depends, elementwise};
use crate::lower::{Body, Buffer, Lowered, lower};
use crate::{DType, Graph, Result, SourceKind, Value};

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The buffer of [`Graph::sources`]`[i]`.
    Source(usize),
    /// A slot shared by values that live at different times.
    Slot(usize),
}

/// One kernel of a plan.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it computes.
    pub kernel: Kernel,
    /// The buffer of each binding.
    pub places: Vec<Place>,
    /// Scope paths and ops of the nodes it fuses.
    pub label: String,
    /// Floating-point operations of products and attention.
    pub flops: u64,
    /// Bytes read and written, each buffer once.
    pub bytes: u64,
}

/// A plan: everything a program needs besides the weights.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kernels in order.
    pub steps: Vec<Step>,
    /// Elements of each slot.
    pub slots: Vec<usize>,
    /// Largest number of elements alive at once: no plan with this order needs less.
    pub live: usize,
    /// Copies into sources after the last kernel, where an update could not be made in place.
    pub copies: Vec<(Place, usize)>,
    /// Where each wanted value is after a step.
    pub outputs: HashMap<Value, Place>,
}

/// Plans a step that computes `wanted` and the graph's assignments.
///
/// # Errors
/// The first mistake made while building the graph.
pub fn plan(graph: &mut Graph, wanted: &[Value], fuse: bool) -> Result<Plan> {
    graph.check()?;
    let graph = &*graph;
    let assigned = graph.assigns().iter().map(|(_, v)| *v);
    let all: Vec<Value> = wanted.iter().copied().chain(assigned).collect();
    let lowered = lower(graph, &all)?;
    let (mut groups, of) = fuse::group(&lowered, fuse);
    let (updates, late) = place_updates(graph, &lowered, &mut groups, &of);
    let stored = stored(&lowered, &groups, &of);
    let order = order(&groups);
    let slots = assign_slots(&lowered, &groups, &of, &order, &stored, &updates);
    let place = |b: &Buffer| match b {
        Buffer::Source(s) => Place::Source(*s),
        computed => updates
            .get(computed)
            .map_or_else(|| Place::Slot(slots.of[computed]), |s| Place::Source(*s)),
    };
    let steps = order
        .iter()
        .filter_map(|&g| step(graph, &lowered, &groups[g], &stored, &place))
        .collect();
    let outputs = wanted
        .iter()
        .map(|v| (*v, place(&lowered.values[v])))
        .collect();
    let copies = late.iter().map(|(b, s)| (place(b), *s)).collect();
    Ok(Plan {
        steps,
        slots: slots.sizes,
        live: slots.live,
        copies,
        outputs,
    })
}

/// Decides which assigned values are written straight into their target, ordering every reader of
/// the old value before the writer. Returns those and the ones that must be copied afterwards.
fn place_updates(
    graph: &Graph,
    lowered: &Lowered,
    groups: &mut [Group],
    of: &[usize],
) -> (HashMap<Buffer, usize>, Vec<(Buffer, usize)>) {
    let by_node: HashMap<usize, usize> = graph
        .sources()
        .iter()
        .enumerate()
        .map(|(i, s)| (s.value.node, i))
        .collect();
    let mut updates = HashMap::new();
    let mut late = Vec::new();
    let mut readers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (g, group) in groups.iter().enumerate() {
        for b in group.nodes.iter().flat_map(|&n| &lowered.nodes[n].inputs) {
            if let Buffer::Source(s) = b {
                readers.entry(*s).or_default().push(g);
            }
        }
    }
    for (target, value) in graph.assigns() {
        let Some(&source) = by_node.get(&target.node) else {
            continue;
        };
        let buffer = lowered.values[value];
        let writer = fuse::computed(&buffer).map(|n| of[n]);
        let before: Vec<usize> = readers
            .get(&source)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        let in_place = writer.filter(|&w| {
            !updates.contains_key(&buffer)
                && reads_elementwise(lowered, &groups[w], source)
                && before.iter().all(|&r| r == w || !depends(groups, r, w))
        });
        match in_place {
            Some(w) => {
                groups[w]
                    .deps
                    .extend(before.into_iter().filter(|r| *r != w));
                updates.insert(buffer, source);
            }
            None => late.push((buffer, source)),
        }
    }
    (updates, late)
}

/// Whether a group reads a source only at the element it computes, so that it may overwrite it.
fn reads_elementwise(lowered: &Lowered, group: &Group, source: usize) -> bool {
    group.nodes.iter().all(|&n| {
        let node = &lowered.nodes[n];
        let leaves = match &node.body {
            Body::Map(m) => &m.leaves,
            // A row's elements are read again after some are written.
            Body::Rows(_) | Body::Gemm(_) | Body::Attention(_) => {
                return !node.inputs.contains(&Buffer::Source(source));
            }
        };
        leaves.iter().all(|l| match node.inputs.get(l.buffer) {
            Some(Buffer::Source(s)) if *s == source => elementwise(l, fuse::len(node)),
            _ => true,
        })
    })
}

/// Computed values that need a buffer: read by another group, or wanted.
fn stored(lowered: &Lowered, groups: &[Group], of: &[usize]) -> HashSet<Buffer> {
    let mut stored: HashSet<Buffer> = lowered.values.values().copied().collect();
    for (g, group) in groups.iter().enumerate() {
        for &n in &group.nodes {
            let node = &lowered.nodes[n];
            let foreign = |b: &&Buffer| fuse::computed(b).is_some_and(|m| of[m] != g);
            stored.extend(node.inputs.iter().filter(foreign));
            if matches!(node.body, Body::Attention(_)) {
                stored.extend(
                    (0..node.lens.len()).map(|output| Buffer::Computed { node: n, output }),
                );
            }
        }
    }
    stored
}

/// Dependencies first; among the ready ones, the group whose last node was created first.
fn order(groups: &[Group]) -> Vec<usize> {
    let mut waiting: Vec<usize> = vec![0; groups.len()];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
    for (g, group) in groups.iter().enumerate() {
        let deps: HashSet<usize> = group.deps.iter().copied().collect();
        waiting[g] = deps.len();
        deps.into_iter().for_each(|d| users[d].push(g));
    }
    let key = |g: usize| Reverse((groups[g].nodes.last().copied(), g));
    let mut ready: BinaryHeap<_> = (0..groups.len())
        .filter(|&g| waiting[g] == 0)
        .map(key)
        .collect();
    let mut order = Vec::with_capacity(groups.len());
    while let Some(Reverse((_, g))) = ready.pop() {
        order.push(g);
        for &user in &users[g] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.push(key(user));
            }
        }
    }
    order
}

#[derive(Debug, Default)]
struct Slots {
    of: HashMap<Buffer, usize>,
    sizes: Vec<usize>,
    live: usize,
}

/// Gives each stored value a slot for its lifetime: the smallest free slot that fits, else the
/// largest free one, enlarged, else a new one.
fn assign_slots(
    lowered: &Lowered,
    groups: &[Group],
    of: &[usize],
    order: &[usize],
    stored: &HashSet<Buffer>,
    updates: &HashMap<Buffer, usize>,
) -> Slots {
    let mut position = vec![0; groups.len()];
    order
        .iter()
        .enumerate()
        .for_each(|(at, &g)| position[g] = at);
    let mut last: HashMap<Buffer, usize> = HashMap::new();
    for (n, node) in lowered.nodes.iter().enumerate() {
        for &b in &node.inputs {
            let at = last.entry(b).or_default();
            *at = (*at).max(position[of[n]]);
        }
    }
    lowered.values.values().for_each(|b| {
        last.insert(*b, usize::MAX);
    });
    let mut slots = Slots::default();
    let mut free: Vec<usize> = Vec::new();
    let mut live = 0;
    let mut expire: HashMap<usize, Vec<(Buffer, usize)>> = HashMap::new();
    for (at, &g) in order.iter().enumerate() {
        for &n in &groups[g].nodes {
            for (output, &len) in lowered.nodes[n].lens.iter().enumerate() {
                let buffer = Buffer::Computed { node: n, output };
                if !stored.contains(&buffer) || updates.contains_key(&buffer) {
                    continue;
                }
                let slot = take_slot(&mut slots.sizes, &mut free, len);
                slots.of.insert(buffer, slot);
                live += len;
                let end = last.get(&buffer).copied().unwrap_or(at).max(at);
                expire.entry(end).or_default().push((buffer, len));
            }
        }
        slots.live = slots.live.max(live);
        for (buffer, len) in expire.remove(&at).unwrap_or_default() {
            live -= len;
            free.push(slots.of[&buffer]);
        }
    }
    slots
}

fn take_slot(sizes: &mut Vec<usize>, free: &mut Vec<usize>, len: usize) -> usize {
    let fits = free
        .iter()
        .enumerate()
        .filter(|(_, s)| sizes[**s] >= len)
        .min_by_key(|(_, s)| (sizes[**s], **s));
    let largest = free
        .iter()
        .enumerate()
        .max_by_key(|(_, s)| (sizes[**s], **s));
    // A slot more than twice too large is left for a value that needs it.
    let good = fits.filter(|(_, s)| sizes[**s] <= 2 * len.max(1024));
    match good
        .or(largest.filter(|(_, s)| sizes[**s] < len && 2 * sizes[**s] >= len))
        .or(fits)
    {
        Some((at, _)) => {
            let slot = free.swap_remove(at);
            sizes[slot] = sizes[slot].max(len);
            slot
        }
        None => {
            sizes.push(len);
            sizes.len() - 1
        }
    }
}

/// The kernel of a group; `None` when nothing it computes is stored.
fn step(
    graph: &Graph,
    lowered: &Lowered,
    group: &Group,
    stored: &HashSet<Buffer>,
    place: &dyn Fn(&Buffer) -> Place,
) -> Option<Step> {
    let mut binder = Binder {
        graph,
        places: Vec::new(),
        bindings: Vec::new(),
    };
    let label = label(lowered, group);
    if let Some(Body::Attention(a)) = group.anchor.map(|n| &lowered.nodes[n].body) {
        let n = group.nodes[0];
        let node = &lowered.nodes[n];
        node.inputs
            .iter()
            .for_each(|b| binder.push(place(b), false));
        (0..node.lens.len())
            .for_each(|output| binder.push(place(&Buffer::Computed { node: n, output }), true));
        let kernel = Kernel::Attention(Attention {
            bindings: binder.bindings.clone(),
            ..a.clone()
        });
        return Some(binder.step(kernel, label, lowered, group));
    }
    let mut fused = fuse::merge(lowered, group);
    let mut outputs: Vec<(Buffer, usize)> = fused
        .values
        .iter()
        .filter(|(b, _)| stored.contains(b))
        .copied()
        .collect();
    let body = group.anchor.map(|n| (n, &lowered.nodes[n].body));
    let (mut stages, mut row_outputs) = (Vec::new(), Vec::new());
    if let Some((n, Body::Rows(r))) = body {
        stages = r
            .stages
            .iter()
            .map(|s| Stage {
                reduce: s.reduce,
                value: fused.anchor[s.value],
            })
            .collect();
        for o in &r.outputs {
            if let RowsOutput::Row {
                buffer: output,
                value,
            } = *o
            {
                let buffer = Buffer::Computed { node: n, output };
                row_outputs.extend(
                    stored
                        .contains(&buffer)
                        .then_some((buffer, fused.anchor[value])),
                );
            }
        }
    }
    if outputs.is_empty() && row_outputs.is_empty() {
        return None;
    }
    let roots = outputs.iter_mut().chain(&mut row_outputs).map(|(_, id)| id);
    prune(
        &mut fused,
        roots
            .chain(stages.iter_mut().map(|s| &mut s.value))
            .collect(),
    );
    let operands: Vec<usize> = match body {
        Some((n, Body::Gemm(g))) => {
            let inputs = &lowered.nodes[n].inputs;
            [&inputs[g.a.buffer], &inputs[g.b.buffer]]
                .map(|b| binder.read(place(b)))
                .to_vec()
        }
        _ => Vec::new(),
    };
    let reads: Vec<usize> = fused.reads.iter().map(|b| binder.read(place(b))).collect();
    for leaf in &mut fused.leaves {
        leaf.buffer = reads.get(leaf.buffer).copied().unwrap_or(0);
        if let Access::Gather { ids, .. } | Access::ScatterAdd { ids, .. } = &mut leaf.access {
            *ids = reads[*ids];
        }
    }
    let writes: Vec<Output> = outputs
        .iter()
        .map(|(b, value)| Output {
            buffer: binder.write(place(b)),
            value: *value,
        })
        .collect();
    let rows: Vec<Output> = row_outputs
        .iter()
        .map(|(b, value)| Output {
            buffer: binder.write(place(b)),
            value: *value,
        })
        .collect();
    let (bindings, leaves, expr) = (binder.bindings.clone(), fused.leaves, fused.expr);
    let kernel = match body.map(|(_, b)| b) {
        Some(Body::Gemm(g)) => {
            let mut gemm = Gemm {
                bindings,
                leaves,
                expr,
                outputs: writes,
                ..g.clone()
            };
            gemm.a.buffer = operands[0];
            gemm.b.buffer = operands[1];
            Kernel::Gemm(gemm)
        }
        Some(Body::Rows(r)) => {
            let element = writes.iter().map(|o| RowsOutput::Element {
                buffer: o.buffer,
                value: o.value,
            });
            let row = rows.iter().map(|o| RowsOutput::Row {
                buffer: o.buffer,
                value: o.value,
            });
            let outputs = element.chain(row).collect();
            Kernel::Rows(Rows {
                rows: r.rows.clone(),
                cols: r.cols.clone(),
                bindings,
                leaves,
                expr,
                stages,
                outputs,
            })
        }
        _ => Kernel::Map(Map {
            len: fuse::len(&lowered.nodes[group.nodes[0]]),
            bindings,
            leaves,
            expr,
            outputs: writes,
        }),
    };
    Some(binder.step(kernel, label, lowered, group))
}

/// Drops expression nodes, leaves and reads that no root needs.
fn prune(fused: &mut Fused, mut roots: Vec<&mut usize>) {
    use Scalar as S;
    let mut used = vec![false; fused.expr.nodes.len()];
    roots.iter().for_each(|id| used[**id] = true);
    for id in (0..used.len()).rev() {
        if !used[id] {
            continue;
        }
        match fused.expr.nodes[id] {
            S::Unary(_, a) => used[a] = true,
            S::Binary(_, a, b) => [a, b].into_iter().for_each(|i| used[i] = true),
            S::Select(c, a, b) => [c, a, b].into_iter().for_each(|i| used[i] = true),
            S::Leaf(_) | S::Acc | S::Reduced(_) | S::Const(_) => {}
        }
    }
    let mut map = vec![0; used.len()];
    let (old_leaves, old_reads) = (
        std::mem::take(&mut fused.leaves),
        std::mem::take(&mut fused.reads),
    );
    let old = std::mem::take(&mut fused.expr.nodes);
    let mut leaf_map: HashMap<usize, usize> = HashMap::new();
    for (id, scalar) in old.into_iter().enumerate().filter(|(id, _)| used[*id]) {
        let scalar = match scalar {
            S::Leaf(k) => S::Leaf(*leaf_map.entry(k).or_insert_with(|| {
                let mut leaf = old_leaves[k].clone();
                if let Access::Gather { ids, .. } | Access::ScatterAdd { ids, .. } =
                    &mut leaf.access
                {
                    *ids = fused.read(old_reads[*ids]);
                }
                if !matches!(leaf.access, Access::Coord { .. }) {
                    leaf.buffer = fused.read(old_reads[leaf.buffer]);
                }
                fused.leaves.push(leaf);
                fused.leaves.len() - 1
            })),
            S::Unary(op, a) => S::Unary(op, map[a]),
            S::Binary(op, a, b) => S::Binary(op, map[a], map[b]),
            S::Select(c, a, b) => S::Select(map[c], map[a], map[b]),
            other => other,
        };
        fused.expr.nodes.push(scalar);
        map[id] = fused.expr.nodes.len() - 1;
    }
    roots.iter_mut().for_each(|id| **id = map[**id]);
}

/// Collects the bindings of one kernel.
struct Binder<'a> {
    graph: &'a Graph,
    places: Vec<Place>,
    bindings: Vec<Binding>,
}

impl Binder<'_> {
    fn push(&mut self, place: Place, write: bool) {
        let unsigned = matches!(place, Place::Source(s)
            if self.graph.ty(self.graph.sources()[s].value).dtype == DType::U32);
        let ty = if unsigned {
            BufferType::U32
        } else {
            BufferType::F32
        };
        self.places.push(place);
        self.bindings.push(Binding { ty, write });
    }

    fn read(&mut self, place: Place) -> usize {
        match self.places.iter().position(|p| *p == place) {
            Some(at) => at,
            None => {
                self.push(place, false);
                self.places.len() - 1
            }
        }
    }

    fn write(&mut self, place: Place) -> usize {
        let at = self.read(place);
        self.bindings[at].write = true;
        at
    }

    fn step(self, kernel: Kernel, label: String, lowered: &Lowered, group: &Group) -> Step {
        let flops = match &kernel {
            Kernel::Gemm(g) => 2 * (g.batch * g.m * g.n * g.k) as u64,
            Kernel::Attention(a) => attention_flops(a),
            Kernel::Map(_) | Kernel::Rows(_) => 0,
        };
        let elements = |b: &Buffer| match b {
            Buffer::Source(s) => self.graph.ty(self.graph.sources()[*s].value).len(),
            Buffer::Computed { node, output } => lowered.nodes[*node].lens[*output],
        };
        let outside = |b: &&Buffer| fuse::computed(b).is_none_or(|n| !group.nodes.contains(&n));
        let read: HashSet<&Buffer> = group
            .nodes
            .iter()
            .flat_map(|&n| &lowered.nodes[n].inputs)
            .filter(outside)
            .collect();
        let written = group
            .nodes
            .last()
            .map_or(0, |&n| lowered.nodes[n].lens.iter().sum());
        let bytes = 4 * (read.into_iter().map(elements).sum::<usize>() + written) as u64;
        Step {
            kernel,
            places: self.places,
            label,
            flops,
            bytes,
        }
    }
}

/// Two products forward, three for each backward pass (scores are recomputed in both).
fn attention_flops(a: &Attention) -> u64 {
    let pairs = match a.tokens {
        Tokens::Sequence { queries, keys } => queries * keys,
        Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        } => height * width * window_h * window_w,
    };
    let products = match a.pass {
        AttentionPass::Forward { .. } => 2,
        AttentionPass::BackwardQ { .. } => 3,
        AttentionPass::BackwardKv { .. } => 4,
    };
    2 * products * (a.batch * a.heads * pairs * a.head_dim) as u64
}

fn label(lowered: &Lowered, group: &Group) -> String {
    let anchor = group.anchor.or(group.nodes.last().copied());
    let label = anchor.map_or("", |n| &lowered.nodes[n].label);
    match group.nodes.len() {
        0 | 1 => label.to_string(),
        n => format!("{label} +{}", n - 1),
    }
}

impl Plan {
    /// Floating-point operations of one step.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|s| s.flops).sum()
    }

    /// Bytes of all slots.
    pub fn slot_bytes(&self) -> u64 {
        4 * self.slots.iter().sum::<usize>() as u64
    }

    /// Bytes of the graph's sources by kind: (inputs, parameters, state, constants).
    pub fn source_bytes(graph: &Graph) -> [u64; 4] {
        let mut bytes = [0; 4];
        for s in graph.sources() {
            let class = match s.kind {
                SourceKind::Input => 0,
                SourceKind::Param(_) => 1,
                SourceKind::State(_) => 2,
                SourceKind::Constant(_) => 3,
            };
            bytes[class] += 4 * graph.ty(s.value).len() as u64;
        }
        bytes
    }
}
