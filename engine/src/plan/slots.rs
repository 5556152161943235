//! Slots: buffers shared by values that live at different times.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::fuse::Group;
use crate::lower::{Buffer, Lowered};

/// Which values share which slot.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) of: HashMap<Buffer, usize>,
    /// Words of each slot.
    pub(super) sizes: Vec<usize>,
    /// Largest number of words alive at once.
    pub(super) live: usize,
}

/// A value's stay in memory: kernels `start..=end` of the order, `end` past the last one for values
/// that are read after the step.
#[derive(Clone, Copy, Debug)]
struct Lifetime {
    buffer: Buffer,
    words: usize,
    start: usize,
    end: usize,
}

/// Gives each stored value a slot for its lifetime, those of `halves` with two numbers a word. Values are placed by size, the largest first,
/// each into the smallest slot that is free throughout its lifetime (Pisarchyk and Lee 2020,
/// "greedy by size"); a slot is therefore never larger than the first value in it.
pub(super) fn assign_slots(
    lowered: &Lowered,
    groups: &[Group],
    order: &[usize],
    (stored, halves): (&HashSet<Buffer>, &HashSet<Buffer>),
) -> Slots {
    let mut lifetimes = lifetimes(lowered, groups, order, stored);
    let half = lifetimes.iter_mut().filter(|l| halves.contains(&l.buffer));
    half.for_each(|l| l.words = l.words.div_ceil(2));
    let mut slots = Slots {
        live: largest_live(&lifetimes, order.len()),
        ..Slots::default()
    };
    lifetimes.sort_by_key(|l| (Reverse(l.words), l.start, l.buffer));
    let mut tenants: Vec<Vec<Lifetime>> = Vec::new();
    for lifetime in lifetimes {
        let free = |tenants: &Vec<Lifetime>| tenants.iter().all(|t| !overlap(t, &lifetime));
        // Later slots are smaller.
        let slot = tenants.iter().rposition(free).unwrap_or_else(|| {
            tenants.push(Vec::new());
            slots.sizes.push(lifetime.words);
            tenants.len() - 1
        });
        tenants[slot].push(lifetime);
        slots.of.insert(lifetime.buffer, slot);
    }
    slots
}

fn lifetimes(
    lowered: &Lowered,
    groups: &[Group],
    order: &[usize],
    stored: &HashSet<Buffer>,
) -> Vec<Lifetime> {
    let mut last: HashMap<Buffer, usize> = HashMap::new();
    for (at, &g) in order.iter().enumerate() {
        for &n in &groups[g].nodes {
            last.extend(lowered.nodes[n].inputs.iter().map(|b| (*b, at)));
        }
    }
    last.extend(lowered.values.values().map(|b| (*b, order.len())));
    let mut lifetimes = Vec::new();
    for (start, &g) in order.iter().enumerate() {
        for &node in &groups[g].nodes {
            for (output, &len) in lowered.nodes[node].lens.iter().enumerate() {
                let buffer = Buffer::Computed { node, output };
                if stored.contains(&buffer) {
                    // An output that nobody reads is still written.
                    let end = last.get(&buffer).map_or(start, |end| *end.max(&start));
                    lifetimes.push(Lifetime {
                        buffer,
                        words: len,
                        start,
                        end,
                    });
                }
            }
        }
    }
    lifetimes
}

fn largest_live(lifetimes: &[Lifetime], kernels: usize) -> usize {
    let (mut born, mut died) = (vec![0; kernels + 1], vec![0; kernels + 2]);
    for l in lifetimes {
        born[l.start] += l.words;
        died[l.end + 1] += l.words;
    }
    let (mut live, mut largest) = (0, 0);
    for at in 0..kernels {
        live = live + born[at] - died[at];
        largest = largest.max(live);
    }
    largest
}

fn overlap(a: &Lifetime, b: &Lifetime) -> bool {
    a.start <= b.end && b.start <= a.end
}
