//! Pointwise kernels: four elements per invocation where the leaves allow it, else one.

use super::arithmetic::values;
use super::form::Form;
use super::grid::{fold, linear_invocation};
use super::inputs::Inputs;
use super::quad::quad_forms;
use super::shader::Shader;
use crate::wgsl::{Builtin, Interface, Writer};
use crate::{BufferType, Caps, Map};

/// Emits a pointwise kernel.
pub(crate) fn map(kernel: &Map, caps: &Caps) -> Shader {
    let workgroup = 256.min(caps.workgroup_size as usize);
    let stored: Vec<usize> = kernel.outputs.iter().map(|o| o.buffer).collect();
    let forms = quad_forms(&kernel.bindings, &kernel.leaves, (&stored, &[]), caps)
        .filter(|_| kernel.len.is_multiple_of(4));
    let quad = forms.is_some();
    let forms = forms.unwrap_or_else(|| Form::narrow(&kernel.bindings, caps));
    let builtins = [Builtin::Invocation];
    let interface = Interface::new(&kernel.bindings, forms, workgroup, &builtins);
    let count = if quad { kernel.len / 4 } else { kernel.len };
    let grid = fold(count.div_ceil(workgroup), caps);
    let mut w = Writer::new();
    if quad {
        linear_invocation(&mut w, "quad", workgroup, count, grid);
        w.line("let i = quad * 4u;");
    } else {
        linear_invocation(&mut w, "i", workgroup, count, grid);
    }
    let inputs = Inputs {
        bindings: &kernel.bindings,
        forms: &interface.forms,
        leaves: &kernel.leaves,
        held: &[],
        element: "i",
        quad,
        acc: "",
        reduced: &[],
        reduced_at: &[],
    };
    let wanted: Vec<_> = kernel.outputs.iter().map(|o| o.value).collect();
    let names = values(&mut w, &kernel.expr, &wanted, inputs);
    for (output, name) in kernel.outputs.iter().zip(&names) {
        w.line(store(inputs, output.buffer, "i", name));
    }
    let name = format!("map {}", kernel.len);
    Shader::new(name, w.module(&interface), grid, &kernel.bindings)
}

/// The statement that stores `value` at element `at` of a buffer, or at the four elements from there
/// on if `inputs.quad`.
pub(crate) fn store(inputs: Inputs, buffer: usize, at: &str, value: &str) -> String {
    let place = if inputs.quad {
        format!("b{buffer}[{at} / 4u]")
    } else {
        format!("b{buffer}[{at}]")
    };
    match (inputs.bindings[buffer].ty, inputs.quad) {
        (BufferType::F32 | BufferType::F16, _) => {
            format!("{place} = {};", inputs.forms[buffer].stored(value))
        }
        (BufferType::U32, false) => format!("{place} = u32({value});"),
        (BufferType::U32, true) => format!("{place} = vec4<u32>({value});"),
    }
}
