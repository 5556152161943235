//! Small kernels that wait for nothing, or that nothing waits for, several as one.

use std::collections::{HashMap, HashSet};

use super::Groups;
use crate::lower::Buffer;

/// Elements up to which a kernel is small: starting it takes longer than what it does, and little is kept for
/// longer when it runs earlier or later.
const SMALL: usize = 1 << 16;

impl Groups<'_> {
    /// Joins small pointwise kernels of one length that no other waits for, such as the updates of parameters, or
    /// that read sources alone, as long as they bind no more than `limit` buffers together. A value in `in_place`
    /// is written into that source.
    pub(crate) fn bundle(&mut self, limit: usize, in_place: &HashMap<Buffer, usize>) {
        let awaited: HashSet<usize> = (0..self.groups.len()).flat_map(|g| self.deps(g)).collect();
        let mut open: HashMap<(usize, bool, bool), usize> = HashMap::new();
        for g in 0..self.groups.len() {
            let group = &self.groups[g];
            let last = !awaited.contains(&g);
            let joins = group.anchor.is_none() && group.len <= SMALL;
            if !joins || !last && self.deps(g).next().is_some() {
                continue;
            }
            let bundle = open.entry((group.len, group.forward, last)).or_insert(g);
            let both = [&self.groups[*bundle], group];
            if self.bound(both, in_place).len() > limit {
                *bundle = g;
            } else if *bundle != g {
                let bundle = *bundle;
                self.merge(bundle, g);
            }
        }
        self.compact();
    }
}
