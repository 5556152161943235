//! Rows short enough for every lane to keep its part in registers: leaves that several passes over
//! the row use are read once, and those that are the same for every row once per workgroup.

use super::walk::{Reduced, Walk};
use crate::emit::load::load;
use crate::wgsl::{Writer, times};
use crate::{Access, RowsOutput, View};

/// Elements, or fours of them, of a row per lane.
const TURNS: usize = 8;
/// Registers of a lane for leaves.
const REGISTERS: usize = 24;

/// Which leaves are kept, and how many turns the lanes take over a row.
pub(super) struct Held {
    turns: usize,
    /// Whether the lanes take every element exactly once, with nothing left over.
    exact: bool,
    /// Leaves that depend on the column alone.
    by_column: Vec<usize>,
    /// Other leaves that several passes use.
    by_row: Vec<usize>,
}

/// One turn of a lane.
pub(super) struct Turn {
    /// Name of the element, moved back into the row where the lane has none.
    pub(super) element: String,
    /// Name of its column.
    pub(super) column: String,
    /// Condition that the lane has an element.
    pub(super) takes_part: Option<String>,
    /// Names of the leaves that are kept.
    pub(super) leaves: Vec<Option<String>>,
}

impl Held {
    /// What to keep when a row is shared by `fewest` to `most` lanes; `None` when rows are too long or
    /// nothing would be read less often.
    pub(super) fn new(walk: &Walk, fewest: usize, most: usize) -> Option<Self> {
        let kernel = walk.kernel;
        let (rows, cols) = (kernel.rows.simplified(), kernel.cols.simplified());
        let len = cols.len();
        let turns = len.div_ceil(fewest * walk.width());
        if cols.strides != [1] || turns > TURNS {
            return None;
        }
        let aligned = rows.offset % len == 0 && rows.strides.iter().all(|s| s % len == 0);
        let elements = kernel.outputs.iter().filter_map(|output| match output {
            RowsOutput::Element { value, .. } => Some(*value),
            RowsOutput::Row { .. } => None,
        });
        let mut passes: Vec<Vec<_>> = kernel.stages.iter().map(|s| vec![s.value]).collect();
        passes.push(elements.collect());
        let uses = |leaf: usize| {
            let is_leaf = |id: &usize| kernel.expr.nodes[*id] == crate::Scalar::Leaf(leaf);
            let nodes = (0..kernel.expr.nodes.len()).filter(is_leaf);
            let ids: Vec<_> = nodes.collect();
            let in_pass = |wanted: &&Vec<_>| {
                let needed = kernel.expr.needed(wanted.iter().copied());
                ids.iter().any(|&id| needed[id])
            };
            passes.iter().filter(in_pass).count()
        };
        let (mut by_column, mut by_row) = (Vec::new(), Vec::new());
        for (k, leaf) in kernel.leaves.iter().enumerate() {
            match (&leaf.access, uses(k)) {
                (_, 0) => {}
                (Access::Strided(view), _) if aligned && repeats(view, len) => by_column.push(k),
                (_, 1) => {}
                _ => by_row.push(k),
            }
        }
        let leaves = by_column.len() + by_row.len();
        let exact = fewest == most && len == turns * fewest * walk.width();
        (leaves > 0 && turns * leaves <= REGISTERS).then_some(Self {
            turns,
            exact,
            by_column,
            by_row,
        })
    }

    /// Whether several rows share what is read.
    pub(super) fn shares(&self) -> bool {
        !self.by_column.is_empty()
    }

    /// Binds the columns of a lane and reads what depends on them alone. The lane's first column and
    /// the distance to its next are expressions.
    pub(super) fn columns(self, w: &mut Writer, walk: &Walk, [first, step]: [&str; 2]) -> Kept {
        let none = Reduced::default();
        let last = walk.kernel.cols.len() - walk.width();
        let turn = |t: usize| {
            let mut place = times(first, walk.width()).unwrap_or_default();
            if t > 0 {
                place += &format!(" + {step} * {}u", t * walk.width());
            }
            let (column, takes_part) = if self.exact {
                (w.bind("c", place), None)
            } else {
                let wanted = w.bind("c", place);
                let part = format!("{wanted} <= {last}u");
                (w.bind("c", format!("min({wanted}, {last}u)")), Some(part))
            };
            let mut leaves = vec![None; walk.kernel.leaves.len()];
            for &k in &self.by_column {
                let inputs = walk.at_element(&column, &none);
                leaves[k] = Some(load(w, &walk.kernel.leaves[k], inputs));
            }
            Turn {
                element: column.clone(),
                column,
                takes_part,
                leaves,
            }
        };
        Kept {
            turns: (0..self.turns).map(turn).collect(),
            by_row: self.by_row,
        }
    }
}

/// Columns whose leaves have been read; the elements of their turns are those of a row at 0.
pub(super) struct Kept {
    turns: Vec<Turn>,
    by_row: Vec<usize>,
}

impl Kept {
    /// Binds the elements of the row at `base` and reads what depends on the row.
    pub(super) fn row(mut self, w: &mut Writer, walk: &Walk) -> Vec<Turn> {
        let none = Reduced::default();
        for turn in &mut self.turns {
            turn.element = w.bind("i", format!("base + {}", turn.element));
            for &k in &self.by_row {
                let inputs = walk.at_element(&turn.element, &none);
                turn.leaves[k] = Some(load(w, &walk.kernel.leaves[k], inputs));
            }
        }
        self.turns
    }
}

/// Whether a view of rows of `len` elements has the same elements in every row.
fn repeats(view: &View, len: usize) -> bool {
    let view = view.simplified();
    let mut inner = 1;
    view.shape
        .iter()
        .zip(&view.strides)
        .rev()
        .all(|(&extent, &stride)| {
            inner *= extent;
            inner <= len || stride == 0
        })
}

#[cfg(test)]
mod tests {
    use super::repeats;
    use crate::View;

    fn view(shape: &[usize], strides: &[usize]) -> View {
        View {
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            offset: 0,
        }
    }

    #[test]
    fn only_leaves_of_the_column_repeat() {
        assert!(repeats(&view(&[5, 12], &[0, 1]), 12));
        assert!(repeats(&view(&[5, 3, 4], &[0, 0, 1]), 12));
        assert!(repeats(&view(&[60], &[0]), 12));
        assert!(!repeats(&view(&[5, 12], &[12, 1]), 12));
        assert!(!repeats(&view(&[5, 12], &[1, 0]), 12));
        assert!(!repeats(&view(&[60], &[1]), 12));
        assert!(!repeats(&view(&[2, 24], &[0, 1]), 12));
        assert!(!repeats(&view(&[10, 6], &[0, 1]), 4));
    }
}
