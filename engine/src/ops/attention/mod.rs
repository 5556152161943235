//! Multi-head attention `softmax(scale·q·kᵀ + rel)·v` over sequences or over windows of a grid, with
//! SAM's decomposed relative positions (image_encoder.py). [`samora_shaders::Attention`] has the
//! equations; no matrix of all pairs is ever stored.

mod cases;
mod gradient;
mod layout;
mod reference;

use samora_shaders::{Attention, AttentionPass, HeadRows, Part, Saved, Tokens};

pub(crate) use self::cases::CASES;
use self::gradient::{row_products, sum_batches};
use self::layout::{Layout, batch, channels};
use self::reference::Reference;
use super::no_second_gradient;
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

/// What kind of attention.
#[derive(Clone, Copy, Debug)]
pub struct Attend {
    /// Number of heads; divides the channels.
    pub heads: usize,
    /// How tokens form sequences.
    pub tokens: Tokens,
    /// Relative position tables `[2·window_h − 1, c/heads]` and `[2·window_w − 1, c/heads]`, for
    /// grids.
    pub rel_pos: Option<(Value, Value)>,
    /// Learned bias of each head by distance, `[heads, window_h·window_w]` at `|Δy|·window_w + |Δx|`
    /// (TinyViT), for grids that windows tile; instead of `rel_pos`.
    pub distance_bias: Option<Value>,
    /// Key and value `[c]` of the tokens that pad overhanging windows; without, pads are masked.
    pub pad_kv: Option<(Value, Value)>,
    /// Factor on `q·k`; `1/√(c/heads)` by default.
    pub scale: Option<f32>,
}

impl Attend {
    /// Attention by `q·k` alone; pads are masked.
    pub fn plain(heads: usize, tokens: Tokens) -> Self {
        Self {
            heads,
            tokens,
            rel_pos: None,
            distance_bias: None,
            pad_kv: None,
            scale: None,
        }
    }
}

impl Graph {
    /// Attention of `q [b, n, c]` to `k`, `v [b, m, c]`: `[b, n, c]`. Batches may differ when the
    /// largest is a multiple of the others, which are read at `b % batch`.
    pub fn attention(&mut self, q: Value, k: Value, v: Value, cfg: Attend) -> Value {
        let channels = self.shape(q).last().copied().unwrap_or(0);
        let width = channels / cfg.heads.max(1);
        let layout = Layout {
            heads: cfg.heads,
            tokens: cfg.tokens,
            scale: cfg.scale.unwrap_or(1.0 / (width.max(1) as f32).sqrt()),
            tables: cfg.rel_pos.is_some(),
            biased: cfg.distance_bias.is_some(),
            pads: cfg.pad_kv.is_some(),
        };
        let mut inputs = vec![q, k, v];
        inputs.extend(cfg.rel_pos.iter().flat_map(|&(h, w)| [h, w]));
        inputs.extend(cfg.distance_bias);
        inputs.extend(cfg.pad_kv.iter().flat_map(|&(k, v)| [k, v]));
        let pass = Pass::Forward;
        self.push(AttentionOp { layout, pass }, &inputs)
    }
}

/// Inputs are `q, k, v`, the two tables, the distance bias, the pads' key and value; those of the
/// backward passes then `dout`, `lse`, `delta` and the saved relative terms.
#[derive(Clone, Copy, Debug)]
struct AttentionOp {
    layout: Layout,
    pass: Pass,
}

#[derive(Clone, Copy, Debug)]
enum Pass {
    /// `out`, `lse` and the relative terms.
    Forward,
    /// `dq` and the gradient of the relative terms.
    BackwardQ,
    /// `dk`, `dv` and the gradient of the pads' key and value per window.
    BackwardKv,
}

impl Op for AttentionOp {
    fn name(&self) -> &'static str {
        match self.pass {
            Pass::Forward => "attention",
            Pass::BackwardQ => "attention_grad_q",
            Pass::BackwardKv => "attention_grad_kv",
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let layout = &self.layout;
        layout.validate(inputs)?;
        let (b, c, heads) = (batch(inputs), channels(inputs), layout.heads);
        let (queries, keys) = layout.tokens.counts();
        let (wh, ww) = layout.tokens.window();
        let rel = layout.tables.then(|| vec![b, heads, queries, wh + ww]);
        let shapes = match self.pass {
            Pass::Forward => [
                Some(vec![b, queries, c]),
                Some(vec![b, heads, queries]),
                rel,
            ],
            Pass::BackwardQ => [Some(vec![b, queries, c]), rel, None],
            Pass::BackwardKv => {
                let (down, across) = layout.tokens.windows();
                let pads = layout.pads_overhang().then(|| vec![b, down * across, 2, c]);
                [Some(vec![b, keys, c]), Some(vec![b, keys, c]), pads]
            }
        };
        Ok(shapes.iter().flatten().map(|s| Type::f32(s)).collect())
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let types: Vec<Type> = inputs.iter().map(|t| t.ty()).collect();
        let reference = Reference::new(self.layout, batch(&types), inputs);
        let data = match self.pass {
            Pass::Forward => reference.forward(),
            Pass::BackwardQ => reference.backward_q(),
            Pass::BackwardKv => reference.backward_kv(),
        };
        let types = self.infer(&types).unwrap_or_default();
        let tensor = |(ty, data): (&Type, Vec<f32>)| Tensor::f32(&ty.shape, data);
        types.iter().zip(data).map(tensor).collect()
    }

    fn lower(&self, inputs: &[Type], outputs: &[Type]) -> Lowering {
        let layout = self.layout;
        let n = inputs.len();
        let first = layout.saved();
        let saved = Saved {
            dout: first,
            lse: Part::whole(first + 1),
            delta: Part::whole(first + 2),
            rel: layout.tables.then_some(Part::whole(first + 3)),
        };
        let rows = |k: usize| HeadRows {
            buffer: k,
            offset: 0,
            row_stride: channels(inputs),
            batch: inputs[k].shape[0],
        };
        let pass = match self.pass {
            Pass::Forward => AttentionPass::Forward {
                out: n,
                lse: n + 1,
                rel: layout.tables.then_some(n + 2),
            },
            Pass::BackwardQ => AttentionPass::BackwardQ {
                saved,
                dq: n,
                drel: layout.tables.then_some(n + 1),
            },
            Pass::BackwardKv => AttentionPass::BackwardKv {
                saved,
                dk: n,
                dv: n + 1,
                dpad: (outputs.len() > 2).then_some(n + 2),
            },
        };
        let reads_tables = layout.tables && !matches!(self.pass, Pass::BackwardKv);
        Lowering::Attention(Attention {
            pass,
            batch: batch(inputs),
            heads: layout.heads,
            head_dim: channels(inputs) / layout.heads,
            tokens: layout.tokens,
            scale: layout.scale,
            q: rows(0),
            k: rows(1),
            v: rows(2),
            rel_pos: reads_tables.then_some((Part::whole(3), Part::whole(4))),
            distance_bias: layout.biased.then_some(Part::whole(layout.bias_input())),
            pad_kv: layout
                .pads
                .then(|| (Part::whole(first - 2), Part::whole(first - 1))),
            bindings: Vec::new(),
        })
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let Pass::Forward = self.pass else {
            return no_second_gradient(g, self.name());
        };
        let layout = self.layout;
        let mut grads = vec![None; ctx.inputs.len()];
        let Some(dout) = ctx.douts[0] else {
            g.fail(self.name(), "only its result has a gradient".into());
            return grads;
        };
        let delta = row_products(g, dout, ctx.outputs[0], layout.heads);
        let mut inputs = [&ctx.inputs[..], &[dout, ctx.outputs[1], delta]].concat();
        inputs.extend(ctx.outputs.get(2));
        let tables = layout.tables && (ctx.needs[3] || ctx.needs[4]);
        if ctx.needs[0] || tables {
            let pass = Pass::BackwardQ;
            let out = g.push_multi(AttentionOp { layout, pass }, &inputs);
            grads[0] = ctx.needs[0].then(|| sum_batches(g, out[0], ctx.inputs[0]));
            if let (true, Some(&drel)) = (tables, out.get(1)) {
                let (dh, dw) = layout.table_gradients(g, drel, ctx.inputs[0]);
                (grads[3], grads[4]) = (Some(dh), Some(dw));
            }
        }
        let bias = layout.bias_input();
        if layout.biased && ctx.needs[bias] {
            grads[bias] = Some(layout.bias_gradient(g, &inputs));
        }
        let saved = layout.saved();
        let pads = layout.pads_overhang() && ctx.needs[saved - 2..saved].contains(&true);
        if ctx.needs[1] || ctx.needs[2] || pads {
            let pass = Pass::BackwardKv;
            let out = g.push_multi(AttentionOp { layout, pass }, &inputs);
            grads[1] = ctx.needs[1].then(|| sum_batches(g, out[0], ctx.inputs[1]));
            grads[2] = ctx.needs[2].then(|| sum_batches(g, out[1], ctx.inputs[2]));
            if let (true, Some(&dpad)) = (pads, out.get(2)) {
                let total = g.sum(dpad, &[0, 1]);
                let [_, c] = g.dims::<2>(total);
                for (at, half) in [(saved - 2, 0), (saved - 1, 1)] {
                    let row = g.slice(total, 0, half, 1);
                    grads[at] = Some(g.reshape(row, &[c]));
                }
            }
        }
        grads
    }
}
