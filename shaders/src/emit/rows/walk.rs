//! How a row kernel walks its elements: one by one or four at a time, along rows or across them.

use crate::emit::form::Form;
use crate::emit::index::view_index;
use crate::emit::inputs::Inputs;
use crate::emit::quad::quad_forms;
use crate::wgsl::{Builtin, Interface, Writer};
use crate::{Caps, Rows, RowsOutput};

/// How the elements are walked.
pub(super) struct Walk<'a> {
    /// What is reduced.
    pub(super) kernel: &'a Rows,
    /// Which elements are taken together.
    pub(super) quads: Quads,
    /// How buffers are declared.
    pub(super) forms: Vec<Form>,
}

/// Which elements are taken four at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quads {
    /// None.
    No,
    /// Neighbouring columns of a row.
    Columns,
    /// Neighbouring rows: every row's result is one component.
    Rows,
}

impl<'a> Walk<'a> {
    /// Takes four at a time where strides and leaves allow it.
    pub(super) fn new(kernel: &'a Rows, caps: &Caps) -> Self {
        let (rows, cols) = (kernel.rows.simplified(), kernel.cols.simplified());
        let fours = |list: &[usize]| list.iter().all(|x| x % 4 == 0);
        let whole = |shape: &[usize]| shape.last().is_some_and(|extent| extent % 4 == 0);
        let columns = cols.strides == [1] && whole(&cols.shape) && fours(&rows.strides);
        let lines = match rows.strides.split_last() {
            Some((1, outer)) => whole(&rows.shape) && fours(outer) && fours(&cols.strides),
            _ => false,
        };
        // On a GPU four times fewer invocations cost more than wide loads save.
        let lines = lines && caps.cpu;
        let (mut stored, mut apart) = (Vec::new(), Vec::new());
        for output in &kernel.outputs {
            match *output {
                RowsOutput::Row { buffer, .. } if !lines => apart.push(buffer),
                RowsOutput::Row { buffer, .. } | RowsOutput::Element { buffer, .. } => {
                    stored.push(buffer);
                }
            }
        }
        let forms = quad_forms(&kernel.bindings, &kernel.leaves, (&stored, &apart), caps)
            .filter(|_| (columns || lines) && rows.offset.is_multiple_of(4));
        let quads = match forms {
            None => Quads::No,
            Some(_) if lines => Quads::Rows,
            Some(_) => Quads::Columns,
        };
        Self {
            kernel,
            quads,
            forms: forms.unwrap_or_else(|| Form::narrow(&kernel.bindings, caps)),
        }
    }

    /// Rows, or fours of rows.
    pub(super) fn units(&self) -> usize {
        match self.quads {
            Quads::Rows => self.kernel.rows.len() / 4,
            Quads::No | Quads::Columns => self.kernel.rows.len(),
        }
    }

    /// Columns taken at a time.
    pub(super) fn width(&self) -> usize {
        if self.quads == Quads::Columns { 4 } else { 1 }
    }

    /// Type of a row's result.
    pub(super) fn result(&self) -> &'static str {
        if self.quads == Quads::Rows {
            "vec4<f32>"
        } else {
            "f32"
        }
    }

    /// Type of the column of a row's result.
    pub(super) fn column(&self) -> &'static str {
        if self.quads == Quads::Rows {
            "vec4<u32>"
        } else {
            "u32"
        }
    }

    /// Name of the number of a row, or of a four of rows.
    pub(super) fn unit(&self) -> &'static str {
        if self.quads == Quads::Rows {
            "quad"
        } else {
            "row"
        }
    }

    /// Binds `row` to the first row of a four, and `base` to a row's first element.
    pub(super) fn row(&self, w: &mut Writer) {
        if self.quads == Quads::Rows {
            w.line("let row = quad * 4u;");
        }
        let base = view_index(&self.kernel.rows, "row");
        w.line(format!("let base = {base};"));
    }

    pub(super) fn interface(&self, workgroup: usize, builtins: &[Builtin]) -> Interface {
        let (bindings, forms) = (&self.kernel.bindings, self.forms.clone());
        Interface::new(bindings, forms, workgroup, builtins)
    }

    /// What expressions find at an element.
    pub(super) fn at_element<'b>(&'b self, element: &'b str, reduced: &'b Reduced) -> Inputs<'b> {
        Inputs {
            quad: self.quads != Quads::No,
            reduced: &reduced.element,
            reduced_at: &reduced.element_at,
            ..self.at_row(element, reduced)
        }
    }

    /// What expressions find once per row; they use no leaf.
    pub(super) fn at_row<'b>(&'b self, row: &'b str, reduced: &'b Reduced) -> Inputs<'b> {
        Inputs {
            bindings: &self.kernel.bindings,
            forms: &self.forms,
            leaves: &self.kernel.leaves,
            held: &[],
            element: row,
            quad: self.quads == Quads::Rows,
            acc: "",
            reduced: &reduced.row,
            reduced_at: &reduced.row_at,
        }
    }
}

/// Names of the finished reductions.
#[derive(Default)]
pub(super) struct Reduced {
    /// One number per row.
    pub(super) row: Vec<String>,
    /// The same in the type of an element's values.
    pub(super) element: Vec<String>,
    /// The columns of both, empty where nothing asks for it.
    pub(super) row_at: Vec<String>,
    pub(super) element_at: Vec<String>,
}
