//! How the lanes that share a row visit its columns.

use super::held::{Kept, Turn};
use super::walk::Walk;
use crate::emit::index::view_index;
use crate::wgsl::{Writer, times};

/// An element of a row, or four of them.
pub(super) struct Visit<'a> {
    /// Name of the element's index.
    pub(super) element: &'a str,
    /// Its column, a factor.
    pub(super) column: &'a str,
    /// Names of the leaves that have been read.
    pub(super) leaves: &'a [Option<String>],
}

/// Writes what is done with an element.
pub(super) type Body<'a> = dyn FnMut(&mut Writer, &Visit) + 'a;
/// Writes a visit of the columns of a row.
pub(super) type Columns<'a> = dyn Fn(&mut Writer, &mut Body) + 'a;

/// Visits of a row, kept or not, by lanes that start at their number `first` and go on by `step`.
pub(super) fn shared_columns<'a>(
    w: &mut Writer,
    walk: &'a Walk,
    kept: Option<Kept>,
    [first, step]: [&str; 2],
) -> Box<Columns<'a>> {
    match kept {
        Some(kept) => Box::new(held_columns(kept.row(w, walk))),
        None => Box::new(strided_columns(walk, first, step)),
    }
}

/// Columns `first`, `first + step`, …, or so of fours of columns.
fn strided_columns<'a>(
    walk: &'a Walk,
    first: &str,
    step: &str,
) -> impl Fn(&mut Writer, &mut Body) + 'a {
    let [first, step] = [first, step].map(|x| times(x, walk.width()).unwrap_or_default());
    let cols = &walk.kernel.cols;
    move |w, body| {
        let c = w.fresh("c");
        w.open_loop(&c, &first, &format!("{}u", cols.len()), &step);
        let i = w.bind("i", format!("base + {}", view_index(cols, &c)));
        let visit = Visit {
            element: &i,
            column: &c,
            leaves: &[],
        };
        body(w, &visit);
        w.close();
    }
}

/// The columns of a row that is kept.
fn held_columns(turns: Vec<Turn>) -> impl Fn(&mut Writer, &mut Body) {
    move |w, body| {
        for turn in &turns {
            if let Some(condition) = &turn.takes_part {
                w.open(format!("if {condition}"));
            }
            let visit = Visit {
                element: &turn.element,
                column: &turn.column,
                leaves: &turn.leaves,
            };
            body(w, &visit);
            if turn.takes_part.is_some() {
                w.close();
            }
        }
    }
}
