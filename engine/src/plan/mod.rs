//! The plan of a step: kernels in order, the buffers they are bound to, and what they cost.
//!
//! Every buffer of a plan exists before the first step. Values that live at different times share a
//! slot; each slot is a buffer of its own, because WebGPU forbids one kernel to read and write
//! parts of the same buffer.

mod halves;
mod kernel;
pub(crate) mod limits;
mod order;
mod slots;
mod types;
mod updates;

use std::collections::HashSet;

use self::halves::halves;
use self::kernel::{Planned, step};
use self::order::order;
use self::slots::assign_slots;
pub use self::types::{Bound, Place, Plan, Planning, Step};
use self::updates::place_updates;
use crate::fuse::{self, Groups};
use crate::lower::{Body, Buffer, Lowered, lower};
use crate::split::split;
use crate::{Graph, Result, Value};

/// Plans a step that computes `wanted` and the graph's assignments.
///
/// # Errors
/// The first mistake made while building the graph.
pub fn plan(graph: &Graph, wanted: &[Value], planning: Planning) -> Result<Plan> {
    graph.check()?;
    let (split, moved) = split(graph, planning.workers);
    let at = |v: Value| moved[v.node][v.output];
    let wanted: Vec<(Value, Value)> = wanted.iter().map(|&v| (v, at(v))).collect();
    let graph = &split;
    let assigned = graph.assigns().iter().map(|(_, v)| *v);
    let all: Vec<Value> = wanted.iter().map(|w| w.1).chain(assigned).collect();
    let lowered = lower(graph, &all, planning.bindings, planning.direct)?;
    let mut groups = fuse::group(&lowered, planning.fuse, planning.bindings);
    let updates = place_updates(graph, &lowered, &mut groups);
    if planning.fuse {
        groups.bundle(planning.bindings, &updates.in_place);
    }
    let stored = stored(&lowered, &groups);
    let order = order(&groups);
    let in_slots = stored
        .iter()
        .filter(|b| !updates.in_place.contains_key(b))
        .copied()
        .collect();
    let halves = match planning.halves {
        true => halves(graph, &lowered, &groups, (&in_slots, planning.least_half)),
        false => HashSet::new(),
    };
    let slots = assign_slots(&lowered, &groups.groups, &order, (&in_slots, &halves));
    let place = |b: &Buffer| match (b, updates.in_place.get(b)) {
        (Buffer::Source(s), _) | (_, Some(s)) => Place::Source(*s),
        (computed, None) => {
            let (slot, first) = slots.of[computed];
            Place::Slot { slot, first }
        }
    };
    let planned = Planned {
        graph,
        lowered: &lowered,
        stored: &stored,
        halves: &halves,
        place: &place,
    };
    let steps = order
        .iter()
        .filter_map(|&g| step(&planned, &groups.groups[g]))
        .collect();
    let outputs = wanted
        .iter()
        .map(|(v, at)| (*v, place(&lowered.values[at])))
        .collect();
    let copies = updates.copies.iter().map(|(b, s)| (place(b), *s));
    let half_sources = halves.iter().filter_map(|b| match b {
        Buffer::Source(s) => Some(*s),
        Buffer::Computed { .. } => None,
    });
    let peak = slots.peak.iter().filter_map(|&(buffer, words)| {
        let node = fuse::computed(&buffer)?;
        Some((lowered.nodes[node].label.to_string(), words))
    });
    let plan = Plan {
        half_sources: half_sources.collect(),
        steps,
        copies: copies.collect(),
        outputs,
        peak: peak.collect(),
        slots: slots.sizes,
    };
    limits::check(graph, &plan, &planning)?;
    Ok(plan)
}

/// Computed values that need a buffer: read by another group, or wanted.
fn stored(lowered: &Lowered, groups: &Groups<'_>) -> HashSet<Buffer> {
    let mut stored: HashSet<Buffer> = lowered.values.values().copied().collect();
    for (g, group) in groups.groups.iter().enumerate() {
        for &n in &group.nodes {
            let node = &lowered.nodes[n];
            let foreign = |b: &&Buffer| fuse::computed(b).is_some_and(|m| groups.of[m] != g);
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
