//! The order kernels run in.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use crate::fuse::Groups;

/// Dependencies first; among the ready groups, the one with the earliest node, where a group counts
/// as early as the earliest that waits for it. What the last nodes of a graph share, such as a
/// learning rate, thus holds up no update, and the update no gradient.
pub(super) fn order(groups: &Groups<'_>) -> Vec<usize> {
    let deps: Vec<HashSet<usize>> = (0..groups.groups.len())
        .map(|g| groups.deps(g).collect())
        .collect();
    let mut keys: Vec<Option<usize>> = groups
        .groups
        .iter()
        .map(|g| g.anchor.or(g.nodes.last().copied()))
        .collect();
    for g in by_key(&deps, &keys).into_iter().rev() {
        for &d in &deps[g] {
            keys[d] = keys[d].min(keys[g]);
        }
    }
    by_key(&deps, &keys)
}

/// Dependencies first; among the ready groups, the smallest key.
fn by_key(deps: &[HashSet<usize>], keys: &[Option<usize>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = deps.iter().map(HashSet::len).collect();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); deps.len()];
    for (g, deps) in deps.iter().enumerate() {
        deps.iter().for_each(|&d| users[d].push(g));
    }
    let entry = |g: usize| Reverse((keys[g], g));
    let ready = (0..deps.len()).filter(|&g| waiting[g] == 0);
    let mut ready: BinaryHeap<_> = ready.map(entry).collect();
    let mut order = Vec::with_capacity(deps.len());
    while let Some(Reverse((_, g))) = ready.pop() {
        order.push(g);
        for &user in &users[g] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.push(entry(user));
            }
        }
    }
    order
}
