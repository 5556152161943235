//! Attention by cooperative matrices of 16×16, operands rounded to f16 and sums in f32.
//!
//! A workgroup owns 64 or 128 rows of a window, one or two strips of 16 per subgroup, and walks the other side
//! `step` slots at a time. A fragment of the other side is read once for both strips. Fragments cannot be indexed
//! or scaled by row, so scores pass through workgroup memory: a row of a tile is turned into weights by two
//! invocations or, of two strips, by one. The owned operands stay in fragments for the whole walk.
//!
//! Relative positions are part of the product of queries and keys: a query is followed by its terms
//! `rel[n, …]`, a key by ones at its row and its column of the window and zeros elsewhere. So the gradient
//! of the terms is part of the product that gives `dq`.

mod backward;
mod forward;
mod pads;
mod product;
mod relative;
mod stage;
mod store;
mod tiles;

use super::emitter::{Emitter, Supply};
use super::shape::{wide, window_slots};
use super::share::Share;
use crate::emit::shader::Shader;
use crate::{Attention, AttentionPass, Caps, Products};

/// Rows and columns of a fragment.
const SIZE: usize = 16;
/// Numbers per element of the tiles.
const WORD: usize = 4;
/// Rows of a workgroup's strips: a strip for each subgroup.
const OWNED: usize = 64;
/// Where the rows of the strips start.
const FIRST: [&str; 2] = ["first", "second"];
/// Invocations of a workgroup: subgroups of 32 for each 16 rows.
const THREADS: usize = 128;
/// Numbers between rows of f16, so that rows start in different banks.
const GAP: usize = 8;
/// Strips of a subgroup, slots per step and numbers between rows of scores, best first.
const STEPS: [(usize, usize, usize); 5] =
    [(2, 32, 8), (1, 64, 8), (1, 64, 4), (1, 48, 8), (1, 32, 8)];
/// Fewest slots of a side.
const LEAST: usize = 32;
/// Largest head whose sums fit into registers.
const HEAD: usize = 80;
/// Most workgroup memory, in bytes: more would leave a core with few workgroups.
const MEMORY: usize = 48 << 10;

/// An attention kernel by cooperative matrices.
pub(super) struct Cooperative<'a> {
    e: Emitter<'a>,
    /// Strips of rows that a subgroup owns.
    strips: usize,
    /// Slots per step of the walk.
    step: usize,
    /// Numbers between rows of scores.
    gap: usize,
    /// Columns that relative positions add to queries and keys, rounded up to whole fragments.
    terms: usize,
    /// Condition that the invocation's owned slot holds a token.
    token: Option<String>,
    /// The step that is being written, if it may have fewer slots than others.
    rest: Option<Rest>,
}

/// The last step of a walk.
#[derive(Clone, Copy)]
enum Rest {
    /// With slots in so many fragments.
    Fixed(usize),
    /// With as many slots as the window has left.
    Counted,
}

impl<'a> Cooperative<'a> {
    /// The kernels that fit, best first; none for attention and adapters that this does not suit.
    pub(super) fn all(a: &'a Attention, caps: &Caps) -> Vec<Self> {
        let adapter = caps.products == Products::Half { size: 16 }
            && !caps.cpu
            && caps.subgroups == Some((32, 32))
            && caps.workgroup_size as usize >= THREADS;
        let (queries, keys) = window_slots(a);
        let kernel = wide(a)
            && a.head_dim.is_multiple_of(SIZE)
            && a.head_dim <= HEAD
            && queries.min(keys) >= LEAST
            && a.distance_bias.is_none()
            && saves_terms(a);
        if !adapter || !kernel {
            return Vec::new();
        }
        let with = |(strips, step, gap): (usize, usize, usize)| {
            let share = Share {
                lanes: 2 / strips,
                rows: 1,
            };
            let mut e = Emitter::with(a, caps, (Supply::Staged(step), THREADS), share);
            e.by_subgroup = true;
            let terms = match a.is_relative() {
                true => e.term_count().next_multiple_of(SIZE),
                false => 0,
            };
            let token = None;
            Self {
                e,
                strips,
                step,
                gap,
                terms,
                token,
                rest: None,
            }
        };
        let memory = MEMORY.min(caps.workgroup_memory as usize);
        let kernels = STEPS.into_iter().map(with);
        let fits = |kernel: &Self| {
            let copies = [kernel.e.row_regs, kernel.terms / WORD].map(|words| kernel.step * words);
            copies.iter().all(|n| n.is_multiple_of(THREADS))
                && kernel.bytes() <= memory
                && (kernel.strips == 1 || two_strips(a))
        };
        kernels.filter(fits).collect()
    }

    /// The kernel's text.
    pub(super) fn emit(mut self) -> Shader {
        let name = match self.e.a.pass {
            AttentionPass::Forward { out, lse, rel } => {
                self.forward(out, lse, rel);
                "attention"
            }
            AttentionPass::BackwardQ { saved, dq, drel } => {
                self.backward_q(&saved, dq, drel);
                "attention dq"
            }
            AttentionPass::BackwardKv {
                saved,
                dk,
                dv,
                dpad,
            } => {
                self.backward_kv(&saved, [dk, dv], dpad);
                "attention dkv"
            }
        };
        self.e.shared = self.shared();
        self.e.extensions = vec!["wgpu_cooperative_matrix", "f16"];
        let variant = format!("matrices {}x{} gap {}", self.strips, self.step, self.gap);
        self.e.finish(name, variant)
    }

    fn line(&mut self, text: impl AsRef<str>) {
        self.e.w.line(text);
    }

    fn barrier(&mut self) {
        self.line("workgroupBarrier();");
    }

    /// Binds where the workgroup's slots are, and its subgroups and invocations in the tiles.
    fn start(&mut self) {
        let chunks = self.e.chunks();
        self.line(match chunks {
            1 => "let first = 0u;".to_string(),
            _ => format!("let first = at % {chunks}u * {}u;", self.rows()),
        });
        if self.strips > 1 {
            self.line(format!("let second = first + {OWNED}u;"));
        }
        let slot = self.e.own_slot(0);
        self.token = slot.exists;
        let [scores, weights] = [self.pitch_scores(), self.pitch_weights()];
        for (name, pitch) in [
            ("a", self.pitch_a()),
            ("scores", scores),
            ("weights", weights),
        ] {
            self.line(format!("let strip_{name} = subgroup * {}u;", SIZE * pitch));
        }
        for (name, pitch) in [("scores", scores), ("weights", weights)] {
            let (lanes, part) = (self.e.share.lanes, self.plus_part());
            self.line(match lanes {
                1 => format!("let row_{name} = local * {pitch}u;"),
                _ => format!("let row_{name} = local / {lanes}u * {pitch}u{part};"),
            });
        }
        self.line("var zero: coop_mat16x16<f32,C>;");
    }

    /// Writes `body` for fragment `j` of the step's columns, which a window may do without.
    fn column(&mut self, j: usize, body: impl FnOnce(&mut Self)) {
        let counted = j > 0 && matches!(self.rest, Some(Rest::Counted));
        if counted {
            self.e.w.open(format!("if whole + {}u < tokens", j * SIZE));
        }
        body(self);
        if counted {
            self.e.w.close();
        }
    }
}

/// Whether two strips of a subgroup have room in its registers and the workgroup's memory, and rows enough.
fn two_strips(a: &Attention) -> bool {
    let keys = matches!(a.pass, AttentionPass::BackwardKv { .. });
    !keys && !a.is_relative() && a.pad_kv.is_none() && window_slots(a).0 >= 2 * OWNED
}

/// Whether relative terms, if any, pass through memory as the kernels here want it.
fn saves_terms(a: &Attention) -> bool {
    let tables = a.is_relative();
    match a.pass {
        AttentionPass::Forward { rel, .. } => rel.is_some() == tables,
        AttentionPass::BackwardQ { saved, drel, .. } => {
            saved.rel.is_some() == tables && drel.is_some() == tables
        }
        AttentionPass::BackwardKv { saved, dpad, .. } => {
            saved.rel.is_some() == tables && (dpad.is_none() || a.pad_kv.is_some())
        }
    }
}
