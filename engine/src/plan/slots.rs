//! Slots: buffers shared by values that live at different times.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::fuse::Group;
use crate::lower::{Buffer, Lowered};

/// Which values share which slot.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) of: HashMap<Buffer, usize>,
    /// Elements of each slot.
    pub(super) sizes: Vec<usize>,
    /// Largest number of elements alive at once.
    pub(super) live: usize,
}

/// A value's stay in memory: kernels `start..=end` of the order, `end` past the last one for values
/// that are read after the step.
#[derive(Clone, Copy, Debug)]
struct Lifetime {
    buffer: Buffer,
    len: usize,
    start: usize,
    end: usize,
}

/// Gives each stored value a slot for its lifetime. Values are placed one after the other, in the orders
/// "greedy by size" and "greedy by breadth" (Pisarchyk and Lee 2020) and as they come into being; the order
/// that needs least memory is kept, of equal ones the first.
pub(super) fn assign_slots(
    lowered: &Lowered,
    groups: &[Group],
    order: &[usize],
    stored: &HashSet<Buffer>,
) -> Slots {
    let lifetimes = lifetimes(lowered, groups, order, stored);
    let live = live(&lifetimes, order.len());
    let orders = [by_size(&lifetimes), by_breadth(&lifetimes, &live)];
    let [by_size, by_breadth] = orders.map(|order| placed(&order));
    let in_time = placed(&lifetimes);
    let candidates = [by_size, by_breadth, in_time].into_iter();
    let best = candidates.min_by_key(|slots| slots.sizes.iter().sum::<usize>());
    Slots {
        live: live.into_iter().max().unwrap_or(0),
        ..best.unwrap_or_default()
    }
}

/// Places each value into the smallest slot that is free throughout its lifetime and large enough, else into
/// the largest that is free, which grows, else into a new one.
fn placed(order: &[Lifetime]) -> Slots {
    let mut slots = Slots::default();
    let mut tenants: Vec<Vec<Lifetime>> = Vec::new();
    for lifetime in order {
        let free = |slot: &usize| tenants[*slot].iter().all(|t| !overlap(t, lifetime));
        let free: Vec<usize> = (0..tenants.len()).filter(free).collect();
        let size = |slot: &usize| slots.sizes[*slot];
        let enough = free.iter().filter(|slot| size(slot) >= lifetime.len);
        let chosen = enough
            .min_by_key(|slot| size(slot))
            .or_else(|| free.iter().max_by_key(|slot| size(slot)));
        let slot = chosen.copied().unwrap_or_else(|| {
            tenants.push(Vec::new());
            slots.sizes.push(0);
            tenants.len() - 1
        });
        slots.sizes[slot] = slots.sizes[slot].max(lifetime.len);
        tenants[slot].push(*lifetime);
        slots.of.insert(lifetime.buffer, slot);
    }
    slots
}

/// The largest values first.
fn by_size(lifetimes: &[Lifetime]) -> Vec<Lifetime> {
    let mut order = lifetimes.to_vec();
    order.sort_by_key(|l| (Reverse(l.len), l.start, l.buffer));
    order
}

/// The values of the kernel with most elements alive first, the largest of them first.
fn by_breadth(lifetimes: &[Lifetime], live: &[usize]) -> Vec<Lifetime> {
    let widest = |l: &Lifetime| {
        let kernels = l.start..=l.end.min(live.len().saturating_sub(1));
        kernels.map(|at| (Reverse(live[at]), at)).min()
    };
    let mut order = lifetimes.to_vec();
    order.sort_by_cached_key(|l| (widest(l), Reverse(l.len), l.start, l.buffer));
    order
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
                        len,
                        start,
                        end,
                    });
                }
            }
        }
    }
    lifetimes
}

/// Elements alive at each kernel.
fn live(lifetimes: &[Lifetime], kernels: usize) -> Vec<usize> {
    let (mut born, mut died) = (vec![0; kernels + 1], vec![0; kernels + 2]);
    for l in lifetimes {
        born[l.start] += l.len;
        died[l.end + 1] += l.len;
    }
    let now = |live: &mut usize, at: usize| {
        *live = *live + born[at] - died[at];
        Some(*live)
    };
    (0..kernels).scan(0, now).collect()
}

fn overlap(a: &Lifetime, b: &Lifetime) -> bool {
    a.start <= b.end && b.start <= a.end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetimes(stays: &[(usize, usize, usize)]) -> Vec<Lifetime> {
        let lifetime = |(node, &(len, start, end)): (usize, &(usize, usize, usize))| Lifetime {
            buffer: Buffer::Computed { node, output: 0 },
            len,
            start,
            end,
        };
        stays.iter().enumerate().map(lifetime).collect()
    }

    #[test]
    fn values_that_live_at_once_never_share_and_slots_may_grow() {
        let all = lifetimes(&[(4, 0, 1), (4, 1, 2), (6, 2, 3), (5, 3, 4), (1, 4, 4)]);
        let live = live(&all, 5);
        assert_eq!(live, [4, 8, 10, 11, 6]);
        for order in [by_size(&all), by_breadth(&all, &live), all.clone()] {
            let slots = placed(&order);
            assert_eq!(slots.of.len(), all.len());
            for (i, a) in all.iter().enumerate() {
                assert!(slots.sizes[slots.of[&a.buffer]] >= a.len);
                for b in &all[i + 1..] {
                    let same = slots.of[&a.buffer] == slots.of[&b.buffer];
                    assert!(!same || !overlap(a, b));
                }
            }
        }
        assert_eq!(placed(&all).sizes.iter().sum::<usize>(), 11);
    }

    #[test]
    fn no_order_needs_less_than_what_is_alive() {
        let all = lifetimes(&[(1, 0, 0), (2, 0, 3), (9, 1, 1), (8, 2, 2), (3, 1, 2)]);
        let live = live(&all, 4);
        let need = |order: &[Lifetime]| placed(order).sizes.iter().sum::<usize>();
        assert_eq!(live.iter().max(), Some(&14));
        for order in [by_size(&all), by_breadth(&all, &live), all.clone()] {
            assert!(need(&order) >= 14);
        }
        assert_eq!(need(&by_size(&all)), 14);
    }
}
