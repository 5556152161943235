//! Attention kernels. An invocation owns queries (forward, gradient of queries) or keys (gradient of
//! keys and values), or with its neighbours a part of the width of some ([`Share`]), and walks the
//! other side of its window with everything it accumulates in registers.

mod backward;
mod cooperative;
mod forward;
mod geometry;
mod pads;
mod relative;
mod share;
mod walk;

use self::cooperative::Cooperative;
use self::share::Share;
use super::form::Form;
use crate::wgsl::{Builtin, Interface, Writer, plus};
use crate::{Attention, AttentionPass, Caps, Part, Saved, Shader};

/// Invocations per workgroup where lanes share rows.
const SHARED_WORKGROUP: usize = 128;
/// Pairs of query and key of an attention that is worth trying other sizes for.
const WORTH_TRYING: usize = 1 << 20;

/// Emits an attention kernel.
pub(crate) fn attention(kernel: &Attention, caps: &Caps) -> Shader {
    match Cooperative::all(kernel, caps).into_iter().next() {
        Some(cooperative) => cooperative.emit(),
        None => emit(kernel, Emitter::new(kernel, caps, SHARED_WORKGROUP, None)),
    }
}

/// The kernel that [`attention`] emits, then for large attention others that may be faster.
pub(crate) fn variants(kernel: &Attention, caps: &Caps) -> Vec<Shader> {
    let by_rule = Emitter::new(kernel, caps, SHARED_WORKGROUP, None);
    let windows = kernel.batch * kernel.heads * geometry::windows(kernel);
    if windows * by_rule.owned * by_rule.walked < WORTH_TRYING {
        return vec![attention(kernel, caps)];
    }
    let tried: &[(usize, usize)] = match by_rule.share.lanes > 1 {
        true => &[(64, 2), (256, 2), (128, 1), (128, 4)],
        false => &[],
    };
    let cooperative = Cooperative::all(kernel, caps).into_iter();
    let mut all: Vec<Shader> = cooperative.map(Cooperative::emit).collect();
    all.push(emit(kernel, by_rule));
    for &(workgroup, rows) in tried {
        let shader = emit(kernel, Emitter::new(kernel, caps, workgroup, Some(rows)));
        if all.iter().all(|other| other.variant != shader.variant) {
            all.push(shader);
        }
    }
    all
}

fn emit(kernel: &Attention, mut e: Emitter<'_>) -> Shader {
    let pass = match kernel.pass {
        AttentionPass::Forward { out, lse, rel } => {
            e.forward(out, lse, rel);
            "attention"
        }
        AttentionPass::BackwardQ { saved, dq, drel } => {
            e.backward_q(&saved, dq, drel);
            "attention dq"
        }
        AttentionPass::BackwardKv {
            saved,
            dk,
            dv,
            dpad,
        } => {
            e.backward_kv(&saved, [dk, dv], dpad);
            "attention dkv"
        }
    };
    let Share { lanes, rows } = e.share;
    let variant = format!("workgroups of {} {lanes}x{rows}", e.workgroup);
    e.finish(pass, variant)
}

/// How the walked rows reach an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supply {
    /// Each invocation reads them from memory.
    Direct,
    /// GPUs: the workgroup copies so many rows at a time into workgroup memory.
    Staged(usize),
    /// CPU adapters with a fixed subgroup size, which is that of the workgroup: the lanes read a few
    /// rows together and broadcast them. Lanes are those of a SIMD register there, so a broadcast is
    /// far cheaper than a load, which goes lane by lane.
    Broadcast(usize),
}

struct Emitter<'a> {
    a: &'a Attention,
    w: Writer,
    /// Components per register: 4 where every row is 16-byte aligned.
    width: usize,
    /// Registers per head row.
    row_regs: usize,
    /// Those of them that an invocation holds.
    regs: usize,
    share: Share,
    /// Whether invocations are numbered by subgroup.
    by_subgroup: bool,
    /// How buffers are declared.
    forms: Vec<Form>,
    supply: Supply,
    workgroup: usize,
    caps: Caps,
    /// Slots of a window on the owned and the walked side (they differ for sequences only).
    owned: usize,
    walked: usize,
    /// Workgroups per window that own no slots, but sum over its pads.
    beside: usize,
    /// Workgroup variables.
    shared: Vec<(String, String)>,
    /// Extensions of the language.
    extensions: Vec<&'static str>,
}

impl<'a> Emitter<'a> {
    /// With so many invocations, and rows of each unless by rule, where lanes share rows.
    fn new(a: &'a Attention, caps: &Caps, workgroup: usize, rows: Option<usize>) -> Self {
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

    fn with(
        a: &'a Attention,
        caps: &Caps,
        (supply, workgroup): (Supply, usize),
        share: Share,
    ) -> Self {
        let (queries, keys) = geometry::window_slots(a);
        let (owned, walked) = match a.pass {
            AttentionPass::BackwardKv { .. } => (keys, queries),
            _ => (queries, keys),
        };
        let wide = geometry::wide(a);
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

    fn finish(self, pass: &str, variant: String) -> Shader {
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
    fn invocation(&self) -> &'static str {
        match self.supply {
            Supply::Broadcast(_) => "lane",
            _ => "local",
        }
    }

    fn ty(&self) -> &'static str {
        if self.width == 4 { "vec4<f32>" } else { "f32" }
    }

    /// Number `at` of a buffer that is read number by number.
    fn number(&self, buffer: usize, at: &str) -> String {
        self.forms[buffer].read(buffer, at)
    }

    /// Number `at` of a part of a buffer, which may be read four numbers at a time elsewhere.
    fn part(&self, part: Part, at: &str) -> String {
        let at = plus(at, part.offset);
        match self.forms[part.buffer] {
            form @ (Form::Quad | Form::Texels) => form.read_scalar(part.buffer, &format!("({at})")),
            form => form.read(part.buffer, &at),
        }
    }

    /// Register `at` of a part of a buffer.
    fn register(&self, part: Part, at: &str) -> String {
        self.number(part.buffer, &plus(at, part.offset / self.width))
    }

    /// Binds `{name}0`, `{name}1`, … to the registers of the row that starts at `row`.
    fn load(&mut self, name: &str, buffer: usize, row: &str) {
        let base = self.w.bind("row", self.share.start(row));
        for r in 0..self.regs {
            let at = r * self.share.lanes;
            let value = self.forms[buffer].read(buffer, &format!("{base} + {at}u"));
            self.w.line(format!("let {name}{r} = {value};"));
        }
    }

    /// Declares accumulators `{name}0`, `{name}1`, ….
    fn zero(&mut self, name: &str) {
        for r in 0..self.regs {
            let line = format!("var {name}{r} = {}();", self.ty());
            self.w.line(line);
        }
    }

    /// Stores a value per register of the row that starts at `row`.
    fn store(&mut self, buffer: usize, row: &str, value: impl Fn(usize) -> String) {
        let base = self.w.bind("row", self.share.start(row));
        for r in 0..self.regs {
            let at = r * self.share.lanes;
            let value = self.forms[buffer].stored(&value(r));
            let line = format!("b{buffer}[{base} + {at}u] = {value};");
            self.w.line(line);
        }
    }

    /// `Σ a·b` over the registers `{a}0`, … and `{b}0`, … as an expression.
    fn dot(&mut self, a: &str, b: &str) -> String {
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
            let tile = rows / walk::UNROLL * walk::UNROLL;
            if caps.cpu || tile == 0 {
                Supply::Direct
            } else {
                Supply::Staged(tile)
            }
        }
    }
}
