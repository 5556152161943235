//! Attention without the N×N matrix in memory: online softmax forward, and the two backward passes.
//!
//! For batch `b`, head `h`, window `w`, query token `n` and key token `m`:
//! `S = scale·q·k + rel`, `P = softmax_m(S)`, `O = Σ_m P·v`. With relative positions (SAM §2.1),
//! `rel[n, m] = q·R_h[y_n − y_m + s_y − 1] + q·R_w[x_n − x_m + s_x − 1]` with the unscaled `q`,
//! where tables have `2·s − 1` rows of `head_dim` and `s` is the window (or grid) extent. With a
//! distance bias (TinyViT), `bias[h, |y_n − y_m|, |x_n − x_m|]` is added to `S`.
//!
//! Forward saves, per query row and head, `lse = max + ln Σ exp(S − max)` and, with relative
//! positions, the `s_y + s_x` values `q·R_h[y_n − k + s_y − 1]`, `q·R_w[x_n − k + s_x − 1]`.

use serde::{Deserialize, Serialize};

use crate::Binding;

/// One attention kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    /// Which pass, with the bindings only it has.
    pub pass: AttentionPass,
    /// Batch of the result; an operand with a smaller batch is read at `b % operand.batch`.
    pub batch: usize,
    /// Heads.
    pub heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// How tokens form sequences.
    pub tokens: Tokens,
    /// Factor on `q·k`.
    pub scale: f32,
    /// Queries.
    pub q: HeadRows,
    /// Keys.
    pub k: HeadRows,
    /// Values.
    pub v: HeadRows,
    /// Relative position tables `R_h`, `R_w`, when used. The gradient of keys and values reads the saved terms alone.
    pub rel_pos: Option<(Part, Part)>,
    /// Bias by distance `[heads, s_y·s_x]`, when used.
    pub distance_bias: Option<Part>,
    /// Key and value of a padding token: two vectors `[heads·head_dim]`, for windows that overhang the
    /// grid (SAM pads after norm1, so a pad's key and value are the qkv bias). `None` masks padding
    /// tokens out.
    pub pad_kv: Option<(Part, Part)>,
    /// Buffers.
    pub bindings: Vec<Binding>,
}

impl Attention {
    /// Bindings of the rows of heads: queries, keys, values and what has their shapes.
    pub fn rows(&self) -> Vec<usize> {
        let mut rows = vec![self.q.buffer, self.k.buffer, self.v.buffer];
        match self.pass {
            AttentionPass::Forward { out, .. } => rows.push(out),
            AttentionPass::BackwardQ { saved, dq, .. } => rows.extend([saved.dout, dq]),
            AttentionPass::BackwardKv { saved, dk, dv, .. } => rows.extend([saved.dout, dk, dv]),
        }
        rows
    }

    /// Rows of heads that are read from whatever view they have.
    pub fn operands_mut(&mut self) -> [&mut HeadRows; 3] {
        [&mut self.q, &mut self.k, &mut self.v]
    }

    /// The bindings of what has the rows of heads of the result, in a backward pass.
    pub fn dout_mut(&mut self) -> Option<&mut usize> {
        match &mut self.pass {
            AttentionPass::Forward { .. } => None,
            AttentionPass::BackwardQ { saved, .. } | AttentionPass::BackwardKv { saved, .. } => {
                Some(&mut saved.dout)
            }
        }
    }

    /// Whatever else it reads.
    pub fn parts_mut(&mut self) -> Vec<&mut Part> {
        let pairs = [&mut self.rel_pos, &mut self.pad_kv].into_iter().flatten();
        let mut parts: Vec<&mut Part> = pairs.flat_map(|(one, other)| [one, other]).collect();
        parts.extend(&mut self.distance_bias);
        if let AttentionPass::BackwardQ { saved, .. } | AttentionPass::BackwardKv { saved, .. } =
            &mut self.pass
        {
            parts.extend([&mut saved.lse, &mut saved.delta]);
            parts.extend(&mut saved.rel);
        }
        parts
    }

    /// The bindings that it writes.
    pub fn outputs_mut(&mut self) -> Vec<&mut usize> {
        let (two, more) = match &mut self.pass {
            AttentionPass::Forward { out, lse, rel } => (vec![out, lse], rel),
            AttentionPass::BackwardQ { dq, drel, .. } => (vec![dq], drel),
            AttentionPass::BackwardKv { dk, dv, dpad, .. } => (vec![dk, dv], dpad),
        };
        two.into_iter().chain(more).collect()
    }

    /// Whether keys are weighed by relative position too.
    pub fn is_relative(&self) -> bool {
        match self.pass {
            AttentionPass::BackwardKv { saved, .. } => saved.rel.is_some(),
            _ => self.rel_pos.is_some(),
        }
    }

    /// What a backward pass reads.
    pub fn saved(&self) -> Option<&Saved> {
        match &self.pass {
            AttentionPass::Forward { .. } => None,
            AttentionPass::BackwardQ { saved, .. } | AttentionPass::BackwardKv { saved, .. } => {
                Some(saved)
            }
        }
    }
}

/// How the rows of a `[batch, tokens, …]` tensor form attention sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tokens {
    /// All queries attend to all keys.
    Sequence {
        /// Query tokens.
        queries: usize,
        /// Key tokens.
        keys: usize,
    },
    /// Self-attention over a `height`×`width` grid in `window`×`window` windows, padded at the bottom
    /// and right. A window of at least both extents with `padded` false means the whole grid:
    /// use `window_h = height`, `window_w = width`.
    Grid {
        /// Rows of the grid.
        height: usize,
        /// Columns of the grid.
        width: usize,
        /// Rows of a window.
        window_h: usize,
        /// Columns of a window.
        window_w: usize,
    },
}

impl Tokens {
    /// Query and key tokens of a batch entry.
    pub fn counts(&self) -> (usize, usize) {
        match *self {
            Self::Sequence { queries, keys } => (queries, keys),
            Self::Grid { height, width, .. } => (height * width, height * width),
        }
    }

    /// Rows and columns of a window; 0 for sequences.
    pub fn window(&self) -> (usize, usize) {
        match *self {
            Self::Sequence { .. } => (0, 0),
            Self::Grid {
                window_h, window_w, ..
            } => (window_h, window_w),
        }
    }

    /// Windows down and across a grid; a sequence is one.
    pub fn windows(&self) -> (usize, usize) {
        match *self {
            Self::Sequence { .. } => (1, 1),
            Self::Grid {
                height,
                width,
                window_h,
                window_w,
            } => (height.div_ceil(window_h), width.div_ceil(window_w)),
        }
    }

    /// Whether windows reach beyond the grid.
    pub fn overhang(&self) -> bool {
        let ((rows, columns), (down, across)) = (self.window(), self.windows());
        down * rows * across * columns > self.counts().1
    }
}

/// A `[batch, tokens, row_stride]` operand: head `h` of token `t` of batch `b` starts at
/// `offset + (b·tokens + t)·row_stride + h·head_dim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeadRows {
    /// Index into the bindings.
    pub buffer: usize,
    /// Offset in elements.
    pub offset: usize,
    /// Elements between tokens.
    pub row_stride: usize,
    /// Batch of this operand; divides the kernel's batch.
    pub batch: usize,
}

/// Numbers that follow each other in a buffer, from a multiple of 4 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// Index into the bindings.
    pub buffer: usize,
    /// Where they start.
    pub offset: usize,
}

impl Part {
    /// A buffer from its start.
    pub fn whole(buffer: usize) -> Self {
        Self { buffer, offset: 0 }
    }
}

/// Which pass a kernel runs. What is written is a binding. With `T` query tokens of the (unpadded) grid or
/// sequence: `out`, `dout`, `dq` are `[batch, T, heads·head_dim]`, `lse` and `delta` are
/// `[batch, heads, T]`, `rel` is `[batch, heads, T, s_y + s_x]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AttentionPass {
    /// Writes `out`, `lse` and (with relative positions) `rel`.
    Forward {
        /// Output.
        out: usize,
        /// Log-sum-exp of each row.
        lse: usize,
        /// Saved relative position terms.
        rel: Option<usize>,
    },
    /// Writes `dq` (through both terms) and the gradient of `rel`.
    BackwardQ {
        /// What it reads.
        saved: Saved,
        /// Gradient of the queries.
        dq: usize,
        /// Gradient of `rel`, from which the tables' gradients are summed.
        drel: Option<usize>,
    },
    /// Writes `dk` and `dv`, `[batch, K, heads·head_dim]` for the full batch, where `K` counts keys. With
    /// `pad_kv` and overhanging windows, `dpad` (`[batch, windows, 2, heads·head_dim]`) gets the sums over
    /// each window's padding keys and values.
    BackwardKv {
        /// What it reads.
        saved: Saved,
        /// Gradient of the keys.
        dk: usize,
        /// Gradient of the values.
        dv: usize,
        /// Gradient through padding tokens.
        dpad: Option<usize>,
    },
}

/// Bindings of what a backward pass reads beside the operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Saved {
    /// Upstream gradient.
    pub dout: usize,
    /// Log-sum-exp of each row, from the forward pass.
    pub lse: Part,
    /// `Σ dout·out` of each row.
    pub delta: Part,
    /// Relative position terms, from the forward pass.
    pub rel: Option<Part>,
}
