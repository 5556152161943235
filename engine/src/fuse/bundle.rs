//! Small kernels that wait for nothing, or that nothing waits for, several as one.

use std::collections::{HashMap, HashSet};

use super::{Group, Groups, computed, outputs};
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
        let mut open: HashMap<(usize, bool, bool), (usize, HashSet<Buffer>)> = HashMap::new();
        for g in 0..self.groups.len() {
            let group = &self.groups[g];
            let last = !awaited.contains(&g);
            let joins = group.anchor.is_none() && group.len <= SMALL;
            if !joins || !last && self.deps(g).next().is_some() {
                continue;
            }
            let key = (group.len, group.forward, last);
            let own = self.bound(group, in_place);
            match open.get_mut(&key) {
                Some((bundle, bound)) if bound.union(&own).count() <= limit => {
                    bound.extend(own);
                    let bundle = *bundle;
                    self.merge(bundle, g);
                }
                _ => {
                    open.insert(key, (g, own));
                }
            }
        }
        self.compact();
    }

    /// Buffers that the kernel of a group is bound to.
    fn bound(&self, group: &Group, in_place: &HashMap<Buffer, usize>) -> HashSet<Buffer> {
        let inside = |b: &Buffer| computed(b).is_some_and(|n| group.nodes.contains(&n));
        let nodes = group.nodes.iter().map(|&n| (n, &self.lowered.nodes[n]));
        let reads = nodes.clone().flat_map(|(_, node)| &node.inputs).copied();
        let kept = nodes.flat_map(|(n, node)| outputs(n, node));
        let kept = kept.filter(|b| {
            let users = self.users.get(b).into_iter().flatten();
            users.into_iter().any(|user| !group.nodes.contains(user))
        });
        let writes = kept.map(|b| in_place.get(&b).map_or(b, |&s| Buffer::Source(s)));
        reads.filter(|b| !inside(b)).chain(writes).collect()
    }
}
