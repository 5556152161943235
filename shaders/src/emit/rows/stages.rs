//! The stages of a row kernel: what each invocation reduces by itself, and how that is combined. A maximum
//! carries its column along if the kernel asks for it: what is computed twice, or rounded in between, cannot be
//! found again by comparing.

use super::columns::Columns;
use super::walk::{Quads, Reduced, Walk};
use crate::emit::arithmetic::values;
use crate::emit::inputs::Inputs;
use crate::wgsl::{Writer, sum, times};
use crate::{Reduce, Scalar, Stage};

/// Stands for the column of what is not the largest.
const NOWHERE: &str = "0xffffffffu";

/// A partial result of a stage.
pub(super) struct Part {
    /// Name of the value.
    value: String,
    /// Name of its column, if the kernel asks for it.
    column: Option<String>,
}

/// Writes how the parts of a row are combined.
pub(super) type Finish<'a> = dyn Fn(&mut Writer, Reduce, Part) -> Part + 'a;

/// Writes the stages and returns the results' names.
pub(super) fn stages(w: &mut Writer, walk: &Walk, columns: &Columns, finish: &Finish) -> Reduced {
    let mut reduced = Reduced::default();
    for (k, stage) in walk.kernel.stages.iter().enumerate() {
        let mut part = own(w, walk, columns, &reduced, (k, stage));
        if walk.quads == Quads::Columns {
            part = across(w, stage.reduce, part);
        }
        let row = finish(w, stage.reduce, part);
        let element = |w: &mut Writer, name: &String| match walk.quads {
            Quads::Columns => w.bind("reduced", format!("vec4<f32>({name})")),
            Quads::No | Quads::Rows => name.clone(),
        };
        reduced.element.push(element(w, &row.value));
        reduced.row.push(row.value);
        let place = row
            .column
            .map(|c| w.bind("place", format!("{}({c})", walk.result())));
        let of_element = place.as_ref().map(|place| element(w, place));
        reduced.element_at.push(of_element.unwrap_or_default());
        reduced.row_at.push(place.unwrap_or_default());
    }
    reduced
}

/// Whether the kernel asks for the column of any maximum.
pub(super) fn asks_for_columns(walk: &Walk) -> bool {
    let at = |node: &Scalar| matches!(node, Scalar::ReducedAt(_));
    walk.kernel.expr.nodes.iter().any(at)
}

/// Writes how the lanes of a subgroup combine their parts.
pub(super) fn by_subgroup(w: &mut Writer, walk: &Walk, reduce: Reduce, part: Part) -> Part {
    let f = match reduce {
        Reduce::Sum => "subgroupAdd",
        Reduce::Max => "subgroupMax",
    };
    let value = w.bind("reduced", format!("{f}({})", part.value));
    let column = part.column.map(|column| {
        let nowhere = quad_of(walk.quads == Quads::Rows, NOWHERE);
        let largest = format!("{} == {value}", part.value);
        let first = format!("subgroupMin(select({nowhere}, {column}, {largest}))");
        w.bind("found", first)
    });
    Part { value, column }
}

/// Writes how the members of a team combine their parts, by a tree in the shared arrays `partial` and `found`:
/// the neighbours of a member lie `apart`, and `first` is the first one's place.
pub(super) fn by_tree(
    w: &mut Writer,
    reduce: Reduce,
    part: Part,
    (members, apart, first): (usize, usize, &str),
) -> Part {
    w.line(format!("partial[local] = {};", part.value));
    if let Some(column) = &part.column {
        w.line(format!("found[local] = {column};"));
    }
    w.line("workgroupBarrier();");
    let half = members / 2;
    w.open(format!("for (var half = {half}u; half > 0u; half /= 2u)"));
    w.open("if member < half");
    let other = sum(vec![
        "local".to_string(),
        times("half", apart).unwrap_or_default(),
    ]);
    let [mine, theirs] =
        ["local", &other].map(|at| [format!("partial[{at}]"), format!("found[{at}]")]);
    match part.column {
        None => w.line(combine(reduce, &mine[0], &theirs[0])),
        Some(_) => {
            let [own, own_at, its, its_at] = [&mine[0], &mine[1], &theirs[0], &theirs[1]];
            let more = format!("({its} > {own}) | (({its} == {own}) & ({its_at} < {own_at}))");
            let more = w.bind("more", more);
            w.line(format!("{own} = select({own}, {its}, {more});"));
            w.line(format!("{own_at} = select({own_at}, {its_at}, {more});"));
        }
    }
    w.close();
    w.line("workgroupBarrier();");
    w.close();
    let value = w.bind("reduced", format!("partial[{first}]"));
    let found = part
        .column
        .map(|_| w.bind("found", format!("found[{first}]")));
    w.line("workgroupBarrier();");
    Part {
        value,
        column: found,
    }
}

/// Writes what an invocation reduces by itself.
fn own(
    w: &mut Writer,
    walk: &Walk,
    columns: &Columns,
    reduced: &Reduced,
    (k, &Stage { reduce, value }): (usize, &Stage),
) -> Part {
    let part = w.fresh("part");
    let start = match reduce {
        Reduce::Sum => 0.0,
        Reduce::Max => -3.0e38,
    };
    let start = walk.at_element("", reduced).number(start);
    w.line(format!("var {part} = {start};"));
    let asked = walk.kernel.expr.nodes.contains(&Scalar::ReducedAt(k));
    let quad = walk.quads != Quads::No;
    let found = asked.then(|| {
        let found = w.fresh("found");
        w.line(format!("var {found} = {};", quad_of(quad, "0u")));
        found
    });
    columns(w, &mut |w, visit| {
        let inputs = Inputs {
            held: visit.leaves,
            ..walk.at_element(visit.element, reduced)
        };
        for name in values(w, &walk.kernel.expr, &[value], inputs) {
            let Some(found) = &found else {
                w.line(combine(reduce, &part, &name));
                continue;
            };
            let mut column = quad_of(quad, visit.column);
            if walk.quads == Quads::Columns {
                column += " + vec4<u32>(0u, 1u, 2u, 3u)";
            }
            let more = w.bind("more", format!("{name} > {part}"));
            w.line(format!("{part} = select({part}, {name}, {more});"));
            w.line(format!("{found} = select({found}, {column}, {more});"));
        }
    });
    Part {
        value: part,
        column: found,
    }
}

/// Writes the combination of the components of a vec4.
fn across(
    w: &mut Writer,
    reduce: Reduce,
    Part {
        value: quad,
        column,
    }: Part,
) -> Part {
    let value = match reduce {
        Reduce::Sum => format!("({quad}.x + {quad}.y) + ({quad}.z + {quad}.w)"),
        Reduce::Max => format!("max(max({quad}.x, {quad}.y), max({quad}.z, {quad}.w))"),
    };
    let value = w.bind("part", value);
    let column = column.map(|column| {
        let largest = format!("{quad} == vec4<f32>({value})");
        let nowhere = quad_of(true, NOWHERE);
        let c = w.bind("found", format!("select({nowhere}, {column}, {largest})"));
        w.bind(
            "found",
            format!("min(min({c}.x, {c}.y), min({c}.z, {c}.w))"),
        )
    });
    Part { value, column }
}

/// The statement that folds `value` into `total`.
fn combine(reduce: Reduce, total: &str, value: &str) -> String {
    match reduce {
        Reduce::Sum => format!("{total} += {value};"),
        Reduce::Max => format!("{total} = max({total}, {value});"),
    }
}

/// A column, or four times the same.
fn quad_of(quad: bool, column: &str) -> String {
    match quad {
        true => format!("vec4<u32>({column})"),
        false => column.to_string(),
    }
}
