//! Row reductions: one invocation, one subgroup or a slice of a workgroup per row, or per four
//! neighbouring rows where columns lie apart.

mod columns;
mod held;
mod stages;
mod walk;

use self::columns::{Body, Columns, Visit, shared_columns};
use self::held::Held;
use self::stages::{Part, asks_for_columns, by_subgroup, by_tree, stages};
use self::walk::{Reduced, Walk};
use super::arithmetic::values;
use super::grid::{fold, linear_group, linear_invocation};
use super::inputs::Inputs;
use super::map::store;
use super::shader::Shader;
use crate::wgsl::{Builtin, Module, Writer, sum, times};
use crate::{Caps, Reduce, Rows, RowsOutput, View};

/// Rows up to this long are not worth splitting among invocations.
const SHORT: usize = 16;
/// With at least this many rows, columns that lie apart are better read one row per invocation.
const MANY: usize = 256;
/// Rows above this length get a whole workgroup on a GPU.
const LONG: usize = 2048;

/// Rows of a subgroup that share what depends on the column alone, and workgroups that should be left
/// then on a CPU adapter and on a GPU.
const SHARE: usize = 8;
const FILL: usize = 16;
const FILL_GPU: usize = 1024;

/// Emits a row kernel.
pub(crate) fn rows(kernel: &Rows, caps: &Caps) -> Shader {
    let (count, len) = (kernel.rows.len(), kernel.cols.len());
    let walk = &Walk::new(kernel, caps);
    let (module, grid) = match split(walk, caps) {
        Split::Invocation => per_invocation(walk, caps),
        Split::Subgroup { smallest, largest } => per_subgroup(walk, caps, smallest, largest),
        Split::Workgroup(team) => per_team(walk, caps, team),
    };
    let name = format!("rows {count}x{len}");
    Shader::new(name, module, grid, &kernel.bindings)
}

/// How a row is divided among invocations.
enum Split {
    /// Not at all: neighbouring invocations take neighbouring rows.
    Invocation,
    /// Among the lanes of a subgroup, between these sizes.
    Subgroup { smallest: u32, largest: u32 },
    /// Among part of a workgroup, combined by a tree in workgroup memory.
    Workgroup(Team),
}

/// The shape of a workgroup: `members` invocations on each of `rows` rows.
#[derive(Clone, Copy)]
struct Team {
    members: usize,
    rows: usize,
    /// Whether neighbouring invocations take neighbouring rows rather than neighbouring columns.
    rows_first: bool,
}

fn split(walk: &Walk, caps: &Caps) -> Split {
    let cols = walk.kernel.cols.simplified();
    let (count, len) = (walk.units(), cols.len());
    let adjacent = cols.strides.last() == Some(&1);
    let limit = 256.min(caps.workgroup_size as usize);
    let short = len <= SHORT && (count >= MANY || len <= SHORT / 2);
    if short || (!adjacent && count >= MANY && (caps.cpu || len < LONG)) {
        return Split::Invocation;
    }
    if !adjacent && count >= MANY {
        let members = 8;
        return Split::Workgroup(Team {
            members,
            rows: limit / members,
            rows_first: true,
        });
    }
    match caps.subgroups {
        Some((smallest, largest)) if caps.cpu || len <= LONG => {
            Split::Subgroup { smallest, largest }
        }
        _ => {
            let members = (len / 4).next_power_of_two().clamp(8, limit);
            Split::Workgroup(Team {
                members,
                rows: limit / members,
                rows_first: false,
            })
        }
    }
}

fn per_invocation(walk: &Walk, caps: &Caps) -> (Module, [u32; 3]) {
    let workgroup = 64;
    let count = walk.units();
    let grid = fold(count.div_ceil(workgroup), caps);
    let mut w = Writer::new();
    let name = walk.unit();
    linear_invocation(&mut w, name, workgroup, count, grid);
    walk.row(&mut w);
    let columns = |w: &mut Writer, body: &mut Body| {
        let cols = walk.kernel.cols.simplified();
        let numbers = View::contiguous(&cols.shape);
        let (mut terms, mut column) = (vec!["base".to_string()], Vec::new());
        for (d, &extent) in cols.shape.iter().enumerate() {
            let c = w.fresh("c");
            let step = format!("{}u", walk.width());
            w.open_loop(&c, "0u", &format!("{extent}u"), &step);
            terms.extend(times(&c, cols.strides[d]));
            column.extend(times(&c, numbers.strides[d]));
        }
        let visit = Visit {
            element: &w.bind("i", sum(terms)),
            column: &sum(column),
            leaves: &[],
        };
        body(w, &visit);
        cols.shape.iter().for_each(|_| w.close());
    };
    let finish = |_: &mut Writer, _: Reduce, part: Part| part;
    let reduced = stages(&mut w, walk, &columns, &finish);
    outputs(&mut w, walk, &columns, &reduced);
    row_outputs(&mut w, walk, &reduced);
    let interface = walk.interface(workgroup, &[Builtin::Invocation]);
    (w.module(&interface), grid)
}

/// The subgroup size is only known at run time: the subgroups of a workgroup share its rows, of
/// which there are as many as the workgroup has subgroups of the smallest size.
fn per_subgroup(walk: &Walk, caps: &Caps, smallest: u32, largest: u32) -> (Module, [u32; 3]) {
    let workgroup = 64.max(largest as usize);
    let [fewest, most] = [smallest, largest].map(|lanes| lanes.max(1) as usize);
    let count = walk.units();
    let held = Held::new(walk, fewest, most);
    let subgroups = workgroup / fewest;
    let fill = if caps.cpu { FILL } else { FILL_GPU };
    let each = match &held {
        Some(held) if held.shares() => (count / (subgroups * fill)).clamp(1, SHARE),
        _ => 1,
    };
    let per_group = subgroups * each;
    let grid = fold(count.div_ceil(per_group), caps);
    let mut w = Writer::new();
    w.line(format!(
        "let first = ({}) * {per_group}u;",
        linear_group(grid)
    ));
    let end = if covers(grid, per_group, count) {
        format!("first + {per_group}u")
    } else {
        format!("min(first + {per_group}u, {count}u)")
    };
    let lanes = ["lane", "lanes"];
    let kept = held.map(|held| held.columns(&mut w, walk, lanes));
    w.open_loop(walk.unit(), "first + subgroup", &end, "subgroups");
    walk.row(&mut w);
    let columns = &*shared_columns(&mut w, walk, kept, lanes);
    let finish = |w: &mut Writer, reduce, part: Part| by_subgroup(w, walk, reduce, part);
    let reduced = stages(&mut w, walk, columns, &finish);
    outputs(&mut w, walk, columns, &reduced);
    if has_row_outputs(walk.kernel) {
        w.open("if lane == 0u");
        row_outputs(&mut w, walk, &reduced);
        w.close();
    }
    w.close();
    let builtins = [Builtin::Workgroup, Builtin::Subgroup];
    let interface = walk.interface(workgroup, &builtins);
    (w.module(&interface), grid)
}

/// Every invocation reaches every barrier: those beyond the last row repeat it and store nothing.
fn per_team(walk: &Walk, caps: &Caps, team: Team) -> (Module, [u32; 3]) {
    let Team {
        members,
        rows,
        rows_first,
    } = team;
    let workgroup = members * rows;
    let count = walk.units();
    let grid = fold(count.div_ceil(rows), caps);
    let mut w = Writer::new();
    let (member, place, apart) = if rows_first {
        (format!("local / {rows}u"), format!("local % {rows}u"), rows)
    } else {
        (
            format!("local % {members}u"),
            format!("local / {members}u"),
            1,
        )
    };
    w.line(format!("let member = {member};"));
    w.line(format!(
        "let wanted = ({}) * {rows}u + {place};",
        linear_group(grid)
    ));
    let last = count.max(1) - 1;
    let exact = covers(grid, rows, count);
    let row = if exact {
        "wanted".to_string()
    } else {
        format!("min(wanted, {last}u)")
    };
    w.line(format!("let {} = {row};", walk.unit()));
    walk.row(&mut w);
    let step = format!("{members}u");
    let lanes = ["member", step.as_str()];
    let kept = Held::new(walk, members, members).map(|held| held.columns(&mut w, walk, lanes));
    let columns = &*shared_columns(&mut w, walk, kept, lanes);
    let first = if rows_first {
        format!("local % {rows}u")
    } else {
        "local - member".to_string()
    };
    let finish =
        |w: &mut Writer, reduce, part: Part| by_tree(w, reduce, part, (members, apart, &first));
    let reduced = stages(&mut w, walk, columns, &finish);
    if !exact {
        w.open(format!("if wanted < {count}u"));
    }
    outputs(&mut w, walk, columns, &reduced);
    if has_row_outputs(walk.kernel) {
        w.open("if member == 0u");
        row_outputs(&mut w, walk, &reduced);
        w.close();
    }
    if !exact {
        w.close();
    }
    let builtins = [Builtin::Workgroup, Builtin::Local];
    let mut interface = walk.interface(workgroup, &builtins);
    let ty = format!("array<{}, {workgroup}>", walk.result());
    interface.shared.push(("partial".to_string(), ty));
    if asks_for_columns(walk) {
        let ty = format!("array<{}, {workgroup}>", walk.column());
        interface.shared.push(("found".to_string(), ty));
    }
    (w.module(&interface), grid)
}

/// Whether a grid has exactly the workgroups that `count` units need: then no bound is written, and
/// kernels for any number of rows can share a text.
fn covers(grid: [u32; 3], per_group: usize, count: usize) -> bool {
    grid.iter().map(|&n| n as usize).product::<usize>() * per_group == count
}

/// Writes the element outputs.
fn outputs(w: &mut Writer, walk: &Walk, columns: &Columns, reduced: &Reduced) {
    let (buffers, wanted): (Vec<_>, Vec<_>) = walk
        .kernel
        .outputs
        .iter()
        .filter_map(|output| match *output {
            RowsOutput::Element { buffer, value } => Some((buffer, value)),
            RowsOutput::Row { .. } => None,
        })
        .unzip();
    if wanted.is_empty() {
        return;
    }
    columns(w, &mut |w, visit| {
        let inputs = Inputs {
            held: visit.leaves,
            ..walk.at_element(visit.element, reduced)
        };
        let names = values(w, &walk.kernel.expr, &wanted, inputs);
        for (buffer, name) in buffers.iter().zip(&names) {
            w.line(store(inputs, *buffer, visit.element, name));
        }
    });
}

fn has_row_outputs(kernel: &Rows) -> bool {
    let row = |o: &RowsOutput| matches!(o, RowsOutput::Row { .. });
    kernel.outputs.iter().any(row)
}

fn row_outputs(w: &mut Writer, walk: &Walk, reduced: &Reduced) {
    for output in &walk.kernel.outputs {
        if let RowsOutput::Row { buffer, value } = *output {
            let inputs = walk.at_row("base", reduced);
            for name in values(w, &walk.kernel.expr, &[value], inputs) {
                w.line(store(inputs, buffer, "row", &name));
            }
        }
    }
}
