//! What the passes write with: the text so far, the layout of registers, and how rows are read and stored.

use super::shape::{wide, window_slots};
use super::share::Share;
use crate::emit::form::Form;
use crate::emit::shader::Shader;
use crate::wgsl::{Builtin, Interface, Writer, plus};
use crate::{Attention, AttentionPass, Caps, Part};

/// Slots of the walked side per turn where nothing else decides.
pub(super) const UNROLL: usize = 4;
/// The score of what takes no part. Its differences to real scores stay finite.
pub(super) const MASKED: f32 = -1.0e38;

/// How the walked rows reach an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// Each invocation reads them from memory.
    Direct,
    /// GPUs: the workgroup copies so many rows at a time into workgroup memory.
    Staged(usize),
    /// CPU adapters with a fixed subgroup size, which is that of the workgroup: the lanes read a few
    /// rows together and broadcast them. Lanes are those of a SIMD register there, so a broadcast is
    /// far cheaper than a load, which goes lane by lane.
    Broadcast(usize),
}

pub(super) struct Emitter<'a> {
    pub(super) a: &'a Attention,
    pub(super) w: Writer,
    /// Components per register: 4 where every row is 16-byte aligned.
    pub(super) width: usize,
    /// Registers per head row.
    pub(super) row_regs: usize,
    /// Those of them that an invocation holds.
    pub(super) regs: usize,
    pub(super) share: Share,
    /// Whether invocations are numbered by subgroup.
    pub(super) by_subgroup: bool,
    /// How buffers are declared.
    pub(super) forms: Vec<Form>,
    pub(super) supply: Supply,
    pub(super) workgroup: usize,
    pub(super) caps: Caps,
    /// Slots of a window on the owned and the walked side (they differ for sequences only).
    pub(super) owned: usize,
    pub(super) walked: usize,
    /// Workgroups per window that own no slots, but sum over its pads.
    pub(super) beside: usize,
    /// Workgroup variables.
    pub(super) shared: Vec<(String, String)>,
    /// Extensions of the language.
    pub(super) extensions: Vec<&'static str>,
}

impl<'a> Emitter<'a> {
    /// With so many invocations, and rows of each unless by rule, where lanes share rows.
    pub(super) fn new(
        a: &'a Attention,
        caps: &Caps,
        workgroup: usize,
        rows: Option<usize>,
    ) -> Self {
        let first = supply(a, caps, 0);
        let alone = match first {
            Supply::Broadcast(lanes) => lanes,
            _ if caps.cpu => 16,
            _ => 64.min(caps.workgroup_size as usize),
        };
        let mut e = Self::with(a, caps, (first, alone), Share::ALONE);
        let staged = matches!(first, Supply::Staged(_));
        if staged && e.width == 4 {
            let share = Share::new(caps, [e.owned, e.row_regs], rows);
            if share != Share::ALONE {
                let workgroup = workgroup.min(caps.workgroup_size as usize);
                e = Self::with(a, caps, (first, workgroup), share);
            }
        }
        if staged {
            e.supply = supply(a, caps, 4 * e.pad_variables().1);
            if e.supply == Supply::Direct {
                e = Self::with(a, caps, (Supply::Direct, alone), Share::ALONE);
            }
        }
        let ty = e.ty();
        if let Supply::Staged(tile) = e.supply {
            let array = format!("array<{ty}, {}>", tile * e.row_regs);
            e.shared = ["tile_a", "tile_b"]
                .map(|name| (name.to_string(), array.clone()))
                .to_vec();
        }
        e.shared.extend(e.pad_variables().0);
        e
    }

    pub(super) fn with(
        a: &'a Attention,
        caps: &Caps,
        (supply, workgroup): (Supply, usize),
        share: Share,
    ) -> Self {
        let (queries, keys) = window_slots(a);
        let (owned, walked) = match a.pass {
            AttentionPass::BackwardKv { .. } => (keys, queries),
            _ => (queries, keys),
        };
        let wide = wide(a);
        let width = if wide { 4 } else { 1 };
        let row_regs = a.head_dim / width;
        let mut forms = Form::narrow(&a.bindings, caps);
        for buffer in row_buffers(a) {
            forms[buffer] = Form::of(a.bindings[buffer], wide, caps);
        }
        let mut e = Self {
            a,
            w: Writer::new(),
            width,
            row_regs,
            regs: row_regs / share.lanes,
            share,
            by_subgroup: share.lanes > 1,
            forms,
            supply,
            workgroup,
            caps: *caps,
            owned,
            walked,
            beside: 0,
            shared: Vec::new(),
            extensions: Vec::new(),
        };
        let sums_pads = matches!(a.pass, AttentionPass::BackwardKv { dpad: Some(_), .. });
        e.beside = usize::from(sums_pads && e.pads().is_some());
        e
    }

    pub(super) fn finish(self, pass: &str, variant: String) -> Shader {
        let (a, grid) = (self.a, self.grid());
        let builtin = match self.supply {
            Supply::Broadcast(_) => Builtin::Subgroup,
            _ if self.by_subgroup => Builtin::Subgroup,
            _ => Builtin::Local,
        };
        let builtins = [Builtin::Workgroup, builtin];
        let mut interface = Interface::new(&a.bindings, self.forms, self.workgroup, &builtins);
        interface.shared = self.shared;
        let name = format!(
            "{pass} {}x{}x{}x{}x{}",
            a.batch, a.heads, self.owned, self.walked, a.head_dim
        );
        interface.extensions = self.extensions;
        let module = self.w.module(&interface);
        Shader {
            variant,
            ..Shader::new(name, module, grid, &a.bindings)
        }
    }

    /// Name of the invocation's index in its workgroup.
    pub(super) fn invocation(&self) -> &'static str {
        match self.supply {
            Supply::Broadcast(_) => "lane",
            _ => "local",
        }
    }

    pub(super) fn ty(&self) -> &'static str {
        if self.width == 4 { "vec4<f32>" } else { "f32" }
    }

    /// Number `at` of a buffer that is read number by number.
    pub(super) fn number(&self, buffer: usize, at: &str) -> String {
        self.forms[buffer].read(buffer, at)
    }

    /// Number `at` of a part of a buffer, which may be read four numbers at a time elsewhere.
    pub(super) fn part(&self, part: Part, at: &str) -> String {
        let at = plus(at, part.offset);
        match self.forms[part.buffer] {
            form @ (Form::Quad | Form::Texels) => form.read_scalar(part.buffer, &format!("({at})")),
            form => form.read(part.buffer, &at),
        }
    }

    /// Register `at` of a part of a buffer.
    pub(super) fn register(&self, part: Part, at: &str) -> String {
        self.number(part.buffer, &plus(at, part.offset / self.width))
    }

    /// Binds `{name}0`, `{name}1`, … to the registers of the row that starts at `row`.
    pub(super) fn load(&mut self, name: &str, buffer: usize, row: &str) {
        let base = self.w.bind("row", self.share.start(row));
        for r in 0..self.regs {
            let at = r * self.share.lanes;
            let value = self.forms[buffer].read(buffer, &format!("{base} + {at}u"));
            self.w.line(format!("let {name}{r} = {value};"));
        }
    }

    /// Declares accumulators `{name}0`, `{name}1`, ….
    pub(super) fn zero(&mut self, name: &str) {
        for r in 0..self.regs {
            let line = format!("var {name}{r} = {}();", self.ty());
            self.w.line(line);
        }
    }

    /// Stores a value per register of the row that starts at `row`.
    pub(super) fn store(&mut self, buffer: usize, row: &str, value: impl Fn(usize) -> String) {
        let base = self.w.bind("row", self.share.start(row));
        for r in 0..self.regs {
            let at = r * self.share.lanes;
            let value = self.forms[buffer].stored(&value(r));
            let line = format!("b{buffer}[{base} + {at}u] = {value};");
            self.w.line(line);
        }
    }

    /// `Σ a·b` over the registers `{a}0`, … and `{b}0`, … as an expression.
    pub(super) fn dot(&mut self, a: &str, b: &str) -> String {
        if self.share.lanes > 1 {
            let products = (1..self.regs).fold(format!("{a}0 * {b}0"), |sum, r| {
                format!("fma({a}{r}, {b}{r}, {sum})")
            });
            let four = self.w.bind("products", products);
            return format!("{four}.x + {four}.y + {four}.z + {four}.w");
        }
        let term = |r: usize| match self.width {
            4 => format!("dot({a}{r}, {b}{r})"),
            _ => format!("{a}{r} * {b}{r}"),
        };
        (0..self.regs).map(term).collect::<Vec<_>>().join(" + ")
    }
}

/// Bindings made of head rows, which are read as vec4 where possible.
fn row_buffers(a: &Attention) -> Vec<usize> {
    let mut rows = a.rows();
    rows.extend(
        a.rel_pos
            .into_iter()
            .flat_map(|(h, w)| [h.buffer, w.buffer]),
    );
    rows.extend(a.pad_kv.into_iter().flat_map(|(k, v)| [k.buffer, v.buffer]));
    if let AttentionPass::BackwardKv { dpad, .. } = a.pass {
        rows.extend(dpad);
    }
    rows
}

/// With so many bytes of workgroup memory left to other things.
fn supply(a: &Attention, caps: &Caps, others: usize) -> Supply {
    match caps.subgroups {
        Some((smallest, largest)) if caps.cpu && smallest == largest => {
            Supply::Broadcast(smallest as usize)
        }
        _ => {
            let free = (caps.workgroup_memory as usize).saturating_sub(others);
            let rows = (free / (2 * 4 * a.head_dim)).min(32);
            let tile = rows / UNROLL * UNROLL;
            if caps.cpu || tile == 0 {
                Supply::Direct
            } else {
                Supply::Staged(tile)
            }
        }
    }
}
