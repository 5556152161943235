//! Slots: buffers shared by values that live at different times, large ones also by values that live at the same
//! time, side by side.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use samora_shaders::TEXTURE_WIDTH;

use crate::fuse::Group;
use crate::lower::{Buffer, Lowered};

/// Words to whose multiples values are placed: whole rows of the textures that stand for buffers on some
/// adapters, and more than any adapter asks of the offset of a binding.
const ALIGNMENT: usize = 4 * TEXTURE_WIDTH;
/// Words from which a value may lie beside another that lives at the same time. Kernels that write either then
/// wait for each other, for nothing.
const LEAST_BESIDE: usize = 1 << 16;

/// Which values share which slot.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Slot and first word of each value.
    pub(super) of: HashMap<Buffer, (usize, usize)>,
    /// Words of each slot.
    pub(super) sizes: Vec<usize>,
    /// The values that are alive when most words are, and how many each has.
    pub(super) peak: Vec<(Buffer, usize)>,
}

/// A value's stay in memory: kernels `start..=end` of the order, `end` past the last one for values
/// that are read after the step.
#[derive(Clone, Debug)]
struct Lifetime {
    buffer: Buffer,
    words: usize,
    start: usize,
    end: usize,
    /// Kernels that read it.
    reads: Vec<usize>,
}

impl Lifetime {
    fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// Whether some kernel writes one and uses the other: WebGPU lets no kernel write one part of a buffer and read
    /// another.
    fn meets(&self, other: &Self) -> bool {
        self.start == other.start
            || self.reads.contains(&other.start)
            || other.reads.contains(&self.start)
    }
}

/// A value in a slot.
struct Tenant {
    lifetime: Lifetime,
    first: usize,
}

impl Tenant {
    fn end(&self) -> usize {
        self.first + self.lifetime.words
    }
}

/// Gives each stored value a place in a slot for its lifetime, those of `halves` with two numbers a word. Values are
/// placed by size, the largest first, each into the smallest slot that is free throughout its lifetime (Pisarchyk
/// and Lee 2020, "greedy by size"), else beside others in the smallest slot with a gap, else into a slot of its own.
/// A slot is therefore never larger than the first value in it.
pub(super) fn assign_slots(
    lowered: &Lowered,
    groups: &[Group],
    order: &[usize],
    (stored, halves): (&HashSet<Buffer>, &HashSet<Buffer>),
) -> Slots {
    let mut lifetimes = lifetimes(lowered, groups, order, stored);
    let half = lifetimes.iter_mut().filter(|l| halves.contains(&l.buffer));
    half.for_each(|l| l.words = l.words.div_ceil(2));
    place(lifetimes, order.len())
}

fn place(mut lifetimes: Vec<Lifetime>, kernels: usize) -> Slots {
    let mut slots = Slots {
        peak: peak(&lifetimes, kernels),
        ..Slots::default()
    };
    lifetimes.sort_by_key(|l| (Reverse(l.words), l.start, l.buffer));
    let mut tenants: Vec<Vec<Tenant>> = Vec::new();
    for lifetime in lifetimes {
        let free = |tenants: &Vec<Tenant>| tenants.iter().all(|t| !t.lifetime.overlaps(&lifetime));
        let beside = |slot: usize| Some((slot, gap(&tenants[slot], slots.sizes[slot], &lifetime)?));
        // Later slots are smaller.
        let found = tenants.iter().rposition(free).map(|slot| (slot, 0));
        let found = found.or_else(|| (0..tenants.len()).rev().find_map(beside));
        let (slot, first) = found.unwrap_or_else(|| {
            tenants.push(Vec::new());
            slots.sizes.push(lifetime.words);
            (tenants.len() - 1, 0)
        });
        slots.of.insert(lifetime.buffer, (slot, first));
        tenants[slot].push(Tenant { lifetime, first });
    }
    slots
}

/// The first word from which a slot of `size` words has room for a value throughout its lifetime.
fn gap(tenants: &[Tenant], size: usize, lifetime: &Lifetime) -> Option<usize> {
    let small = |l: &Lifetime| l.words < LEAST_BESIDE;
    if small(lifetime) {
        return None;
    }
    let neighbours = tenants.iter().filter(|t| t.lifetime.overlaps(lifetime));
    let mut neighbours: Vec<&Tenant> = neighbours.collect();
    let apart = |t: &&Tenant| !small(&t.lifetime) && !t.lifetime.meets(lifetime);
    if !neighbours.iter().all(apart) {
        return None;
    }
    neighbours.sort_by_key(|t| t.first);
    let mut first = 0;
    for neighbour in neighbours {
        if first + lifetime.words <= neighbour.first {
            break;
        }
        first = first.max(neighbour.end().next_multiple_of(ALIGNMENT));
    }
    (first + lifetime.words <= size).then_some(first)
}

fn lifetimes(
    lowered: &Lowered,
    groups: &[Group],
    order: &[usize],
    stored: &HashSet<Buffer>,
) -> Vec<Lifetime> {
    let mut reads: HashMap<Buffer, Vec<usize>> = HashMap::new();
    for (at, &g) in order.iter().enumerate() {
        for &n in &groups[g].nodes {
            for &input in &lowered.nodes[n].inputs {
                reads.entry(input).or_default().push(at);
            }
        }
    }
    for &value in lowered.values.values() {
        reads.entry(value).or_default().push(order.len());
    }
    let mut lifetimes = Vec::new();
    for (start, &g) in order.iter().enumerate() {
        for &node in &groups[g].nodes {
            for (output, &words) in lowered.nodes[node].lens.iter().enumerate() {
                let buffer = Buffer::Computed { node, output };
                if stored.contains(&buffer) {
                    let mut reads = reads.remove(&buffer).unwrap_or_default();
                    // Its own kernel may read it before it is stored.
                    reads.retain(|at| *at > start);
                    lifetimes.push(Lifetime {
                        buffer,
                        words,
                        start,
                        // An output that nobody reads is still written.
                        end: reads.last().copied().unwrap_or(start),
                        reads,
                    });
                }
            }
        }
    }
    lifetimes
}

/// What is alive at the kernel at which most is.
fn peak(lifetimes: &[Lifetime], kernels: usize) -> Vec<(Buffer, usize)> {
    let (mut born, mut died) = (vec![0; kernels + 1], vec![0; kernels + 2]);
    for l in lifetimes {
        born[l.start] += l.words;
        died[l.end + 1] += l.words;
    }
    let (mut live, mut largest, mut at) = (0, 0, 0);
    for kernel in 0..kernels {
        live = live + born[kernel] - died[kernel];
        if live > largest {
            (largest, at) = (live, kernel);
        }
    }
    let alive = lifetimes.iter().filter(|l| l.start <= at && at <= l.end);
    alive.map(|l| (l.buffer, l.words)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of so many rows, by number: written by the first kernel, read by the others.
    fn values(list: &[(usize, &[usize])]) -> Vec<Lifetime> {
        let of = |(node, (rows, kernels)): (usize, &(usize, &[usize]))| Lifetime {
            buffer: Buffer::Computed { node, output: 0 },
            words: rows * ALIGNMENT,
            start: kernels[0],
            end: kernels[kernels.len() - 1],
            reads: kernels[1..].to_vec(),
        };
        list.iter().enumerate().map(of).collect()
    }

    fn placed(list: &[(usize, &[usize])]) -> (Vec<usize>, Vec<(usize, usize)>) {
        let slots = place(values(list), 10);
        let of = |node| {
            let (slot, first) = slots.of[&Buffer::Computed { node, output: 0 }];
            (slot, first / ALIGNMENT)
        };
        let sizes = slots.sizes.iter().map(|words| words / ALIGNMENT);
        (sizes.collect(), (0..list.len()).map(of).collect())
    }

    #[test]
    fn values_lie_beside_each_other_in_the_slot_of_a_larger_one() {
        let (sizes, of) = placed(&[(100, &[0, 1]), (60, &[2, 6]), (40, &[4, 5]), (16, &[7, 8])]);
        assert_eq!(sizes, [100]);
        assert_eq!(of, [(0, 0), (0, 0), (0, 60), (0, 0)]);
    }

    #[test]
    fn gaps_are_found_between_values() {
        let (sizes, of) = placed(&[
            (100, &[0, 1]),
            (40, &[2, 9]),
            (30, &[3, 5]),
            (20, &[4, 9]),
            (25, &[7, 8]),
        ]);
        assert_eq!(sizes, [100]);
        assert_eq!(of[3], (0, 70));
        assert_eq!(of[4], (0, 40), "where the third value was");
    }

    #[test]
    fn no_kernel_writes_one_part_of_a_slot_and_uses_another() {
        // The third value is made from the second.
        let (sizes, of) = placed(&[(100, &[0, 1]), (50, &[2, 3]), (50, &[3, 4])]);
        assert_eq!(sizes, [100, 50]);
        assert_ne!(of[1].0, of[2].0);
        // Both are written by one kernel.
        let (sizes, _) = placed(&[(100, &[0, 1]), (50, &[2, 3]), (50, &[2, 4])]);
        assert_eq!(sizes, [100, 50]);
    }

    #[test]
    fn small_values_lie_alone() {
        let (sizes, _) = placed(&[(100, &[0, 1]), (60, &[2, 6]), (15, &[4, 5])]);
        assert_eq!(sizes, [100, 15]);
    }
}
