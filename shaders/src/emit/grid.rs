//! Workgroup grids.

use crate::Caps;
use crate::wgsl::Writer;

/// Enough workgroups to keep a large GPU busy.
pub(crate) const WORKGROUPS: usize = 128;

/// A grid of at least `groups` workgroups, folded into y (and z) where x alone is too small.
pub(crate) fn fold(groups: usize, caps: &Caps) -> [u32; 3] {
    let limit = caps.grid.max(1) as usize;
    let planes = groups.div_ceil(limit * limit).max(1);
    let rows = groups.div_ceil(planes).div_ceil(limit).max(1);
    let columns = groups.div_ceil(planes).div_ceil(rows);
    [columns as u32, rows as u32, planes as u32]
}

/// The linear index of a workgroup in a folded grid, from the built-in `group`.
pub(crate) fn linear_group([columns, rows, planes]: [u32; 3]) -> String {
    match (rows, planes) {
        (1, 1) => "group.x".to_string(),
        (_, 1) => format!("group.y * {columns}u + group.x"),
        _ => format!("(group.z * {rows}u + group.y) * {columns}u + group.x"),
    }
}

/// Binds `name` to the linear index of the invocation, from the built-in `id`, and returns from the
/// entry point at `len` and above.
pub(crate) fn linear_invocation(
    w: &mut Writer,
    name: &str,
    workgroup: usize,
    len: usize,
    [columns, rows, planes]: [u32; 3],
) {
    let width = columns as usize * workgroup;
    let index = match (rows, planes) {
        (1, 1) => "id.x".to_string(),
        (_, 1) => format!("id.y * {width}u + id.x"),
        _ => format!("(id.z * {rows}u + id.y) * {width}u + id.x"),
    };
    w.line(format!("let {name} = {index};"));
    if width * rows as usize * planes as usize != len {
        w.open(format!("if {name} >= {len}u"));
        w.line("return;");
        w.close();
    }
}
