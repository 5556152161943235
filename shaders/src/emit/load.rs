//! Leaves: the value of an input at the current element.

use super::form::Form;
use super::index::{coordinate, view_index};
use super::inputs::Inputs;
use super::quad::{Quad, quad};
use crate::helper::Helper;
use crate::wgsl::{Writer, float, sum, times};
use crate::{Access, Axis, BufferType, Leaf, View};

/// Writes what reading `leaf` at the current element needs, or at the four elements from there on if
/// `inputs.quad`, and returns the name of its value.
pub(crate) fn load(w: &mut Writer, leaf: &Leaf, inputs: Inputs) -> String {
    if !inputs.quad {
        return read_leaf(w, leaf, inputs);
    }
    let scalar = Inputs {
        quad: false,
        ..inputs
    };
    match quad(&leaf.access) {
        Some(Quad::Wide) => read_leaf(w, leaf, inputs),
        Some(Quad::Splat) => {
            let value = read_leaf(w, leaf, scalar);
            w.bind("x", format!("vec4<f32>({value})"))
        }
        Some(Quad::Made) | None => {
            let values = [0, 1, 2, 3].map(|k| {
                let element = &w.bind("i", format!("{} + {k}u", inputs.element));
                read_leaf(w, leaf, Inputs { element, ..scalar })
            });
            w.bind("x", format!("vec4<f32>({})", values.join(", ")))
        }
    }
}

/// [`load`] of a scalar or, if `inputs.quad`, of an aligned vec4.
fn read_leaf(w: &mut Writer, leaf: &Leaf, inputs: Inputs) -> String {
    let i = inputs.element;
    match &leaf.access {
        Access::Strided(view) => {
            let value = read(inputs, leaf.buffer, &view_index(view, i));
            w.bind("x", value)
        }
        Access::Coord { shape, dim } => {
            let value = format!("f32({})", coordinate(shape, *dim, i));
            w.bind("x", value)
        }
        Access::Affine {
            shape,
            axes,
            offset,
            fill,
        } => affine(w, leaf.buffer, shape, axes, (*offset, *fill), inputs),
        Access::Gather {
            source,
            axis,
            count,
            ids,
            ids_view,
        } => {
            let id = format!("min(b{ids}[{}], {}u)", view_index(ids_view, i), count - 1);
            let id = w.bind("id", id);
            let (rest, stride) = without(source, *axis);
            let mut terms = vec![view_index(&rest, i)];
            terms.extend(times(&id, stride));
            let value = read(inputs, leaf.buffer, &sum(terms));
            w.bind("x", value)
        }
        Access::ScatterAdd {
            source,
            axis,
            count,
            ids,
            ids_view,
        } => {
            let wanted = w.bind("id", coordinate(&source.shape, *axis, i));
            let (values, value_stride) = without(source, *axis);
            let (keys, key_stride) = without(ids_view, *axis);
            let value_base = w.bind("at", view_index(&values, i));
            let key_base = w.bind("at", view_index(&keys, i));
            let total = w.fresh("x");
            w.line(format!("var {total} = {};", inputs.number(0.0)));
            let m = w.fresh("m");
            w.open_loop(&m, "0u", &format!("{count}u"), "1u");
            let at = |base: String, stride| {
                let mut terms = vec![base];
                terms.extend(times(&m, stride));
                sum(terms)
            };
            let last = source.shape[*axis] - 1;
            let key = at(key_base, key_stride);
            w.open(format!("if min(b{ids}[{key}], {last}u) == {wanted}"));
            let value = read(inputs, leaf.buffer, &at(value_base, value_stride));
            w.line(format!("{total} += {value};"));
            w.close();
            w.close();
            total
        }
        Access::Resize {
            outer,
            from,
            to,
            inner,
        } => resize(w, leaf.buffer, [*outer, *from, *to, *inner], inputs),
        Access::ResizeAdjoint {
            outer,
            from,
            to,
            inner,
        } => resize_adjoint(w, leaf.buffer, [*outer, *from, *to, *inner], inputs),
        Access::Uniform { site } => {
            let b = leaf.buffer;
            let uniform = w.call(Helper::Uniform, false);
            w.bind(
                "x",
                format!("{uniform}(vec2<u32>(b{b}[0u], b{b}[1u]), {site}u, {i})"),
            )
        }
    }
}

/// Element `at` of a buffer as f32, or the four elements from there on if `inputs.quad`.
fn read(inputs: Inputs, buffer: usize, at: &str) -> String {
    let form = inputs.forms[buffer];
    let at = match at.contains(' ') && !matches!(form, Form::Scalar | Form::Half) {
        true => format!("({at})"),
        false => at.to_string(),
    };
    let value = match (form, inputs.quad) {
        (Form::Scalar | Form::Half | Form::Texel, _) | (_, false) => form.read_scalar(buffer, &at),
        (_, true) => form.read(buffer, &format!("{at} / 4u")),
    };
    match (inputs.bindings[buffer].ty, inputs.quad) {
        (BufferType::F32 | BufferType::F16, _) => value,
        (BufferType::U32, false) => format!("f32({value})"),
        (BufferType::U32, true) => format!("vec4<f32>({value})"),
    }
}

/// The view with dimension `axis` ignored, and that dimension's stride.
fn without(view: &View, axis: usize) -> (View, usize) {
    let mut rest = view.clone();
    let stride = std::mem::take(&mut rest.strides[axis]);
    (rest, stride)
}

fn affine(
    w: &mut Writer,
    buffer: usize,
    shape: &[usize],
    axes: &[Axis],
    (offset, fill): (usize, f32),
    inputs: Inputs,
) -> String {
    let used: Vec<Option<String>> = (0..shape.len())
        .map(|d| {
            let used = shape[d] > 1 && axes.iter().any(|axis| axis.coef[d] != 0);
            let value = format!("i32({})", coordinate(shape, d, inputs.element));
            used.then(|| w.bind("c", value))
        })
        .collect();
    let mut conditions = Vec::new();
    let mut terms = Vec::new();
    for axis in axes {
        let mut parts: Vec<String> = Vec::new();
        for (coef, name) in axis.coef.iter().zip(&used) {
            match (name, coef) {
                (None, _) | (_, 0) => {}
                (Some(name), 1) => parts.push(name.clone()),
                (Some(name), _) => parts.push(format!("{name} * {coef}")),
            }
        }
        if axis.shift != 0 || parts.is_empty() {
            parts.push(axis.shift.to_string());
        }
        let n = w.bind("n", format!("i32({})", parts.join(" + ")));
        let (low, high) = range(shape, axis);
        if low < 0 {
            conditions.push(format!("{n} >= 0"));
        }
        if axis.div > 1 && !divides(shape, axis) {
            conditions.push(format!("{n} % {} == 0", axis.div));
        }
        let end = (axis.size * axis.div) as i64;
        if high >= end {
            conditions.push(format!("{n} < {end}"));
        }
        let place = if axis.div > 1 {
            format!("{n} / {}", axis.div)
        } else {
            n
        };
        match axis.stride {
            0 => {}
            1 => terms.push(place),
            stride => terms.push(format!("{place} * {stride}")),
        }
    }
    if offset > 0 || terms.is_empty() {
        terms.push(offset.to_string());
    }
    let value = read(inputs, buffer, &format!("u32({})", terms.join(" + ")));
    if conditions.is_empty() {
        return w.bind("x", value);
    }
    let name = w.fresh("x");
    w.line(format!("var {name} = {};", inputs.number(fill)));
    w.open(format!("if {}", conditions.join(" && ")));
    w.line(format!("{name} = {value};"));
    w.close();
    name
}

/// Smallest and largest undivided index of an axis.
fn range(shape: &[usize], axis: &Axis) -> (i64, i64) {
    let mut range = (axis.shift, axis.shift);
    for (&extent, &coef) in shape.iter().zip(&axis.coef) {
        let end = coef * (extent.max(1) as i64 - 1);
        range.0 += end.min(0);
        range.1 += end.max(0);
    }
    range
}

/// True when every index of an axis is a multiple of the divisor.
fn divides(shape: &[usize], axis: &Axis) -> bool {
    let div = axis.div as i64;
    let steps = shape.iter().zip(&axis.coef);
    axis.shift % div == 0 && steps.into_iter().all(|(&e, c)| e <= 1 || c % div == 0)
}

fn resize(
    w: &mut Writer,
    buffer: usize,
    [outer, from, to, inner]: [usize; 4],
    inputs: Inputs,
) -> String {
    let i = inputs.element;
    let shape = [outer, to, inner];
    let place = w.bind("s", source_place(&coordinate(&shape, 1, i), from, to));
    let low = w.bind("low", format!("min(u32({place}), {}u)", from - 1));
    let high = w.bind("high", format!("min({low} + 1u, {}u)", from - 1));
    let base = View {
        shape: shape.to_vec(),
        strides: vec![from * inner, 0, 1],
        offset: 0,
    };
    let base = w.bind("at", view_index(&base, i));
    let tap = |at: &str| {
        let mut terms = vec![base.clone()];
        terms.extend(times(at, inner));
        read(inputs, buffer, &sum(terms))
    };
    let (low_value, high_value) = (tap(&low), tap(&high));
    w.bind(
        "x",
        format!("mix({low_value}, {high_value}, {place} - f32({low}))"),
    )
}

/// The source coordinate that output coordinate `c` interpolates at.
fn source_place(c: &str, from: usize, to: usize) -> String {
    let ratio = float(from as f32 / to as f32);
    format!("max((f32({c}) + 0.5f) * {ratio} - 0.5f, 0.0f)")
}

fn resize_adjoint(
    w: &mut Writer,
    buffer: usize,
    [outer, from, to, inner]: [usize; 4],
    inputs: Inputs,
) -> String {
    let i = inputs.element;
    let shape = [outer, from, inner];
    let c = w.bind("c", coordinate(&shape, 1, i));
    // Outputs whose place lies within 1 of c, widened by one against rounding.
    let ratio = float(to as f32 / from as f32);
    let first = w.bind(
        "first",
        format!("u32(max(floor((f32({c}) - 0.5f) * {ratio} - 0.5f) - 1.0f, 0.0f))"),
    );
    let first = w.bind("first", format!("select({first}, 0u, {c} == 0u)"));
    let end = w.bind(
        "end",
        format!("min(u32(ceil((f32({c}) + 1.5f) * {ratio} - 0.5f)) + 2u, {to}u)"),
    );
    let base = View {
        shape: shape.to_vec(),
        strides: vec![to * inner, 0, 1],
        offset: 0,
    };
    let base = w.bind("at", view_index(&base, i));
    let total = w.fresh("x");
    w.line(format!("var {total} = {};", inputs.number(0.0)));
    let j = w.fresh("j");
    w.open_loop(&j, &first, &end, "1u");
    let place = w.bind("s", source_place(&j, from, to));
    let low = w.bind("low", format!("min(u32({place}), {}u)", from - 1));
    let part = w.bind("part", format!("{place} - f32({low})"));
    let mut terms = vec![base];
    terms.extend(times(&j, inner));
    let value = read(inputs, buffer, &sum(terms));
    let value = w.bind("y", value);
    w.open(format!("if {low} == {c}"));
    w.line(format!("{total} += {value} * (1.0f - {part});"));
    w.close();
    w.open(format!("if min({low} + 1u, {}u) == {c}", from - 1));
    w.line(format!("{total} += {value} * {part};"));
    w.close();
    w.close();
    total
}
