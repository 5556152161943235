//! Pointwise kernels: one element per invocation.

use super::arithmetic::{Inputs, values};
use super::grid::{fold, linear_invocation};
use crate::wgsl::{Builtin, Interface, Writer};
use crate::{Binding, BufferType, Caps, Map, Shader};

/// Emits a pointwise kernel.
pub(crate) fn map(kernel: &Map, caps: &Caps) -> Shader {
    let workgroup = 256.min(caps.workgroup_size as usize);
    let grid = fold(kernel.len.div_ceil(workgroup), caps);
    let mut w = Writer::new();
    linear_invocation(&mut w, "i", workgroup, kernel.len, grid);
    let inputs = Inputs {
        bindings: &kernel.bindings,
        wide: &[],
        leaves: &kernel.leaves,
        element: "i",
        acc: "",
        reduced: &[],
    };
    let wanted: Vec<_> = kernel.outputs.iter().map(|o| o.value).collect();
    let names = values(&mut w, &kernel.expr, &wanted, inputs);
    for (output, name) in kernel.outputs.iter().zip(&names) {
        w.line(store(&kernel.bindings, output.buffer, "i", name));
    }
    Shader {
        name: format!("map {}", kernel.len),
        source: w.module(&Interface::scalar(
            &kernel.bindings,
            workgroup,
            &[Builtin::Invocation],
        )),
        grid,
        bindings: kernel.bindings.clone(),
    }
}

/// The statement that stores `value` at element `at` of a buffer.
pub(crate) fn store(bindings: &[Binding], buffer: usize, at: &str, value: &str) -> String {
    match bindings[buffer].ty {
        BufferType::F32 => format!("b{buffer}[{at}] = {value};"),
        BufferType::U32 => format!("b{buffer}[{at}] = u32({value});"),
    }
}
