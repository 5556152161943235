//! A small writer of indented WGSL text.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::emit::{Form, texel_function};
use crate::{Binding, BufferType, helper::Helper};

/// Collects the body of an entry point: lines at the current depth, fresh names and the helper
/// functions that the body calls.
#[derive(Debug)]
pub(crate) struct Writer {
    text: String,
    depth: usize,
    names: usize,
    helpers: BTreeSet<Helper>,
    /// Those also called on four numbers at a time.
    quads: BTreeSet<Helper>,
}

impl Writer {
    /// An empty function body.
    pub(crate) fn new() -> Self {
        Self {
            text: String::new(),
            depth: 1,
            names: 0,
            helpers: BTreeSet::new(),
            quads: BTreeSet::new(),
        }
    }

    /// One line at the current depth.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// `head {` and one level deeper; a plain block without a head.
    pub(crate) fn open(&mut self, head: impl AsRef<str>) {
        self.line(format!("{} {{", head.as_ref()).trim_start());
        self.depth += 1;
    }

    /// `for (var name = from; name < to; name += step) {` over u32.
    pub(crate) fn open_loop(&mut self, name: &str, from: &str, to: &str, step: &str) {
        self.open(format!(
            "for (var {name} = {from}; {name} < {to}; {name} += {step})"
        ));
    }

    /// Ends the innermost open block.
    pub(crate) fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    /// A name not yet used in this body. The underscore keeps it apart from types (`i32`) and buffers
    /// (`b7`).
    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}_{}", self.names)
    }

    /// `let name = value;` under a fresh name, which is returned.
    pub(crate) fn bind(&mut self, prefix: &str, value: impl AsRef<str>) -> String {
        let name = self.fresh(prefix);
        self.line(format!("let {name} = {};", value.as_ref()));
        name
    }

    /// Notes that the body calls a helper function, on four numbers at a time if `quad`; returns the
    /// function's name.
    pub(crate) fn call(&mut self, helper: Helper, quad: bool) -> String {
        self.helpers.insert(helper);
        if quad {
            self.quads.insert(helper);
            return format!("{}_quad", helper.name());
        }
        helper.name().to_string()
    }

    /// The module: buffers, workgroup variables, helper functions and the entry point.
    pub(crate) fn module(self, interface: &Interface) -> Module {
        let mut out = String::new();
        for extension in &interface.extensions {
            let _ = writeln!(out, "enable {extension};");
        }
        let halves = interface.bindings.iter().any(|b| b.ty == BufferType::F16);
        if halves && !interface.extensions.contains(&"f16") {
            out.push_str("enable f16;\n");
        }
        for (b, (binding, form)) in interface.bindings.iter().zip(&interface.forms).enumerate() {
            let declaration = form.declaration(b, *binding);
            let _ = writeln!(out, "@group(0) @binding({b}) {declaration}");
        }
        for (name, ty) in &interface.shared {
            let _ = writeln!(out, "var<workgroup> {name}: {ty};");
        }
        if interface.forms.iter().any(|form| form.is_texture()) {
            out.push('\n');
            out.push_str(&texel_function());
        }
        for helper in self.helpers {
            out.push('\n');
            out.push_str(helper.text());
        }
        for helper in self.quads {
            out.push('\n');
            out.push_str(&helper.quad_text());
        }
        let builtins: Vec<String> = interface.builtins.iter().map(|b| b.parameter()).collect();
        let _ = write!(
            out,
            "\n@compute @workgroup_size({})\nfn main({}) {{\n{}}}\n",
            interface.workgroup,
            builtins.join(", "),
            self.text
        );
        let forms = interface.forms.iter().enumerate();
        let textures = forms.filter(|(_, form)| form.is_texture());
        Module {
            source: out,
            textures: textures.map(|(binding, _)| binding).collect(),
        }
    }
}

/// The text of a module.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) source: String,
    /// Bindings that are textures.
    pub(crate) textures: Vec<usize>,
}

/// What surrounds the body of an entry point.
#[derive(Debug)]
pub(crate) struct Interface {
    /// Extensions of the language.
    pub(crate) extensions: Vec<&'static str>,
    /// Buffers, named `b0`, `b1`, … in order.
    pub(crate) bindings: Vec<Binding>,
    /// How each is declared.
    pub(crate) forms: Vec<Form>,
    /// Workgroup variables: name and type.
    pub(crate) shared: Vec<(String, String)>,
    /// Invocations per workgroup.
    pub(crate) workgroup: usize,
    /// Built-in inputs of the entry point.
    pub(crate) builtins: Vec<Builtin>,
}

impl Interface {
    /// Buffers of these forms and no workgroup variables.
    pub(crate) fn new(
        bindings: &[Binding],
        forms: Vec<Form>,
        workgroup: usize,
        builtins: &[Builtin],
    ) -> Self {
        Self {
            extensions: Vec::new(),
            bindings: bindings.to_vec(),
            forms,
            shared: Vec::new(),
            workgroup,
            builtins: builtins.to_vec(),
        }
    }
}

/// A built-in input of the entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    /// `id: vec3<u32>`, the global invocation.
    Invocation,
    /// `group: vec3<u32>`, the workgroup.
    Workgroup,
    /// `local: u32`, the invocation within its workgroup.
    Local,
    /// `subgroup: u32` within its workgroup, `subgroups: u32` of them, `lane: u32` of `lanes: u32`.
    Subgroup,
}

impl Builtin {
    fn parameter(self) -> String {
        match self {
            Self::Invocation => "@builtin(global_invocation_id) id: vec3<u32>",
            Self::Workgroup => "@builtin(workgroup_id) group: vec3<u32>",
            Self::Local => "@builtin(local_invocation_index) local: u32",
            Self::Subgroup => {
                "@builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, \
                 @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32"
            }
        }
        .to_string()
    }
}

/// An f32 literal that reads back as the same number. WGSL has no infinities or NaN: those become
/// the nearest finite number and 0.
pub(crate) fn float(x: f32) -> String {
    let finite = if x.is_nan() {
        0.0
    } else {
        x.clamp(f32::MIN, f32::MAX)
    };
    if finite.is_sign_negative() {
        format!("({finite:?}f)")
    } else {
        format!("{finite:?}f")
    }
}

/// `name * factor` with the trivial cases simplified; `None` for factor 0.
pub(crate) fn times(name: &str, factor: usize) -> Option<String> {
    match factor {
        0 => None,
        1 => Some(name.to_string()),
        _ => Some(format!("{name} * {factor}u")),
    }
}

/// `name + more`, simplified for 0.
pub(crate) fn plus(name: &str, more: usize) -> String {
    match more {
        0 => name.to_string(),
        _ => format!("{name} + {more}u"),
    }
}

/// The sum of terms, `0u` when there are none.
pub(crate) fn sum(terms: Vec<String>) -> String {
    if terms.is_empty() {
        "0u".to_string()
    } else {
        terms.join(" + ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Writer, float};

    #[test]
    fn fresh_names_hide_no_type() {
        let mut w = Writer::new();
        assert!((0..64).all(|_| w.fresh("i") != "i32"));
    }

    #[test]
    fn literals_read_back_and_are_finite() {
        for x in [0.1, -0.0, 1e-38, f32::MIN_POSITIVE, 3.0e38, -1.5, 1.0 / 3.0] {
            let text = float(x);
            let digits = text.trim_matches(['(', ')']).trim_end_matches('f');
            assert_eq!(digits.parse::<f32>().map(f32::to_bits), Ok(x.to_bits()));
        }
        assert_eq!(float(f32::INFINITY), float(f32::MAX));
        assert_eq!(float(f32::NAN), "0.0f");
    }
}
