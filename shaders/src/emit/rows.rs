//! Row reductions: one invocation, one subgroup or a slice of a workgroup per row.

use super::arithmetic::{Inputs, values};
use super::grid::{fold, linear_group, linear_invocation};
use super::index::view_index;
use super::map::store;
use crate::wgsl::{Builtin, Interface, Writer, float, sum, times};
use crate::{Caps, Reduce, Rows, RowsOutput, Shader, Stage};

/// Rows up to this long are not worth splitting among invocations.
const SHORT: usize = 8;
/// With at least this many rows, columns that lie apart are better read one row per invocation.
const MANY: usize = 256;
/// Rows above this length get a whole workgroup on a GPU.
const LONG: usize = 2048;

/// Emits a row kernel.
pub(crate) fn rows(kernel: &Rows, caps: &Caps) -> Shader {
    let (count, len) = (kernel.rows.len(), kernel.cols.len());
    let (source, grid) = match split(kernel, caps) {
        Split::Invocation => per_invocation(kernel, caps),
        Split::Subgroup { smallest, largest } => per_subgroup(kernel, caps, smallest, largest),
        Split::Workgroup(team) => per_team(kernel, caps, team),
    };
    Shader {
        name: format!("rows {count}x{len}"),
        source,
        grid,
        bindings: kernel.bindings.clone(),
    }
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

fn split(kernel: &Rows, caps: &Caps) -> Split {
    let cols = kernel.cols.simplified();
    let (count, len) = (kernel.rows.len(), cols.len());
    let adjacent = cols.strides.last() == Some(&1);
    let limit = 256.min(caps.workgroup_size as usize);
    if len <= SHORT || (!adjacent && count >= MANY && (caps.cpu || len < LONG)) {
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

fn per_invocation(kernel: &Rows, caps: &Caps) -> (String, [u32; 3]) {
    let workgroup = 64;
    let count = kernel.rows.len();
    let grid = fold(count.div_ceil(workgroup), caps);
    let mut w = Writer::new();
    linear_invocation(&mut w, "row", workgroup, count, grid);
    w.line(format!("let base = {};", view_index(&kernel.rows, "row")));
    let columns = |w: &mut Writer, body: &mut Body| {
        let cols = kernel.cols.simplified();
        let mut terms = vec!["base".to_string()];
        for (&extent, &stride) in cols.shape.iter().zip(&cols.strides) {
            let c = w.fresh("c");
            w.open_loop(&c, "0u", &format!("{extent}u"), "1u");
            terms.extend(times(&c, stride));
        }
        let i = w.bind("i", sum(terms));
        body(w, &i);
        cols.shape.iter().for_each(|_| w.close());
    };
    let finish = |_: &mut Writer, _: Reduce, part: &str| part.to_string();
    let reduced = stages(&mut w, kernel, &columns, &finish);
    outputs(&mut w, kernel, &columns, &reduced);
    row_outputs(&mut w, kernel, &reduced);
    let interface = Interface::scalar(&kernel.bindings, workgroup, &[Builtin::Invocation]);
    (w.module(&interface), grid)
}

/// The subgroup size is only known at run time: the subgroups of a workgroup share its rows, of
/// which there are as many as the workgroup has subgroups of the smallest size.
fn per_subgroup(kernel: &Rows, caps: &Caps, smallest: u32, largest: u32) -> (String, [u32; 3]) {
    let workgroup = 64.max(largest as usize);
    let per_group = workgroup / smallest.max(1) as usize;
    let count = kernel.rows.len();
    let grid = fold(count.div_ceil(per_group), caps);
    let mut w = Writer::new();
    w.line(format!(
        "let first = ({}) * {per_group}u;",
        linear_group(grid)
    ));
    let end = format!("min(first + {per_group}u, {count}u)");
    w.open_loop("row", "first + subgroup", &end, "subgroups");
    w.line(format!("let base = {};", view_index(&kernel.rows, "row")));
    let columns = strided_columns(kernel, "lane", "lanes");
    let finish = |w: &mut Writer, reduce: Reduce, part: &str| {
        let f = match reduce {
            Reduce::Sum => "subgroupAdd",
            Reduce::Max => "subgroupMax",
        };
        w.bind("reduced", format!("{f}({part})"))
    };
    let reduced = stages(&mut w, kernel, &columns, &finish);
    outputs(&mut w, kernel, &columns, &reduced);
    if has_row_outputs(kernel) {
        w.open("if lane == 0u");
        row_outputs(&mut w, kernel, &reduced);
        w.close();
    }
    w.close();
    let builtins = [Builtin::Workgroup, Builtin::Subgroup];
    let interface = Interface::scalar(&kernel.bindings, workgroup, &builtins);
    (w.module(&interface), grid)
}

/// Every invocation reaches every barrier: those beyond the last row repeat it and store nothing.
fn per_team(kernel: &Rows, caps: &Caps, team: Team) -> (String, [u32; 3]) {
    let Team {
        members,
        rows,
        rows_first,
    } = team;
    let workgroup = members * rows;
    let count = kernel.rows.len();
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
    w.line(format!("let row = min(wanted, {}u);", count.max(1) - 1));
    w.line(format!("let base = {};", view_index(&kernel.rows, "row")));
    let columns = strided_columns(kernel, "member", &format!("{members}u"));
    let finish = |w: &mut Writer, reduce: Reduce, part: &str| {
        w.line(format!("partial[local] = {part};"));
        w.line("workgroupBarrier();");
        w.open(format!(
            "for (var half = {}u; half > 0u; half /= 2u)",
            members / 2
        ));
        w.open("if member < half");
        let other = sum(vec![
            "local".to_string(),
            times("half", apart).unwrap_or_default(),
        ]);
        w.line(combine(
            reduce,
            "partial[local]",
            &format!("partial[{other}]"),
        ));
        w.close();
        w.line("workgroupBarrier();");
        w.close();
        let first = if rows_first {
            format!("local % {rows}u")
        } else {
            "local - member".to_string()
        };
        let reduced = w.bind("reduced", format!("partial[{first}]"));
        w.line("workgroupBarrier();");
        reduced
    };
    let reduced = stages(&mut w, kernel, &columns, &finish);
    w.open(format!("if wanted < {count}u"));
    outputs(&mut w, kernel, &columns, &reduced);
    if has_row_outputs(kernel) {
        w.open("if member == 0u");
        row_outputs(&mut w, kernel, &reduced);
        w.close();
    }
    w.close();
    let builtins = [Builtin::Workgroup, Builtin::Local];
    let mut interface = Interface::scalar(&kernel.bindings, workgroup, &builtins);
    interface
        .shared
        .push(("partial".to_string(), format!("array<f32, {workgroup}>")));
    (w.module(&interface), grid)
}

/// Writes the body of a loop for the named element.
type Body<'a> = dyn FnMut(&mut Writer, &str) + 'a;
/// Writes a loop over the columns of a row around a body.
type Columns<'a> = dyn Fn(&mut Writer, &mut Body) + 'a;

/// Columns `first`, `first + step`, …
fn strided_columns<'a>(
    kernel: &'a Rows,
    first: &'a str,
    step: &str,
) -> impl Fn(&mut Writer, &mut Body) + 'a {
    let step = step.to_string();
    move |w, body| {
        let c = w.fresh("c");
        w.open_loop(&c, first, &format!("{}u", kernel.cols.len()), &step);
        let i = w.bind("i", format!("base + {}", view_index(&kernel.cols, &c)));
        body(w, &i);
        w.close();
    }
}

/// Writes the stages; `finish` combines the partial results of a row. Returns the results' names.
fn stages(
    w: &mut Writer,
    kernel: &Rows,
    columns: &Columns,
    finish: &dyn Fn(&mut Writer, Reduce, &str) -> String,
) -> Vec<String> {
    let mut reduced: Vec<String> = Vec::new();
    for &Stage { reduce, value } in &kernel.stages {
        let part = w.fresh("part");
        let start = match reduce {
            Reduce::Sum => 0.0,
            Reduce::Max => -3.0e38,
        };
        w.line(format!("var {part} = {};", float(start)));
        columns(w, &mut |w, i| {
            let names = values(w, &kernel.expr, &[value], inputs(kernel, i, &reduced));
            for name in names {
                w.line(combine(reduce, &part, &name));
            }
        });
        let name = finish(w, reduce, &part);
        reduced.push(name);
    }
    reduced
}

/// The statement that folds `value` into `total`.
fn combine(reduce: Reduce, total: &str, value: &str) -> String {
    match reduce {
        Reduce::Sum => format!("{total} += {value};"),
        Reduce::Max => format!("{total} = max({total}, {value});"),
    }
}

/// Writes the element outputs.
fn outputs(w: &mut Writer, kernel: &Rows, columns: &Columns, reduced: &[String]) {
    let (buffers, wanted): (Vec<_>, Vec<_>) = kernel
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
    columns(w, &mut |w, i| {
        let names = values(w, &kernel.expr, &wanted, inputs(kernel, i, reduced));
        for (buffer, name) in buffers.iter().zip(&names) {
            w.line(store(&kernel.bindings, *buffer, i, name));
        }
    });
}

fn has_row_outputs(kernel: &Rows) -> bool {
    let row = |o: &RowsOutput| matches!(o, RowsOutput::Row { .. });
    kernel.outputs.iter().any(row)
}

fn row_outputs(w: &mut Writer, kernel: &Rows, reduced: &[String]) {
    for output in &kernel.outputs {
        if let RowsOutput::Row { buffer, value } = *output {
            let inputs = inputs(kernel, "base", reduced);
            for name in values(w, &kernel.expr, &[value], inputs) {
                w.line(store(&kernel.bindings, buffer, "row", &name));
            }
        }
    }
}

fn inputs<'a>(kernel: &'a Rows, element: &'a str, reduced: &'a [String]) -> Inputs<'a> {
    Inputs {
        bindings: &kernel.bindings,
        wide: &[],
        leaves: &kernel.leaves,
        element,
        acc: "",
        reduced,
    }
}
