//! HL-Attn: hierarchical fusion of the three experts' outputs by cross-attention (SAMora §3.2).

use samora_shaders::Tokens;
use serde::{Deserialize, Serialize};

use super::{Level, layer_norm, linear, multi_head};
use crate::{Graph, Init, Value};

/// PyTorch's default, as in the released code.
const EPS: f32 = 1e-5;

/// How experts are fused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HlAttn {
    /// Which form.
    #[serde(default)]
    pub mode: HlAttnMode,
    /// Levels from low to high: the first informs the second, and both the third.
    #[serde(default = "low_to_high")]
    pub order: [Level; 3],
}

/// Forms of HL-Attn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HlAttnMode {
    /// Self-attention over each expert's difference comes first, as the caption of the paper's Figure 3
    /// suggests, and the result is scaled per channel by a factor that starts at zero, so that training
    /// starts at the frozen network. The factor is this project's; the paper publishes no such form.
    #[default]
    ZeroStart,
    /// The released code: no self-attention, and LayerNorm on the result.
    Released,
}

impl Default for HlAttn {
    fn default() -> Self {
        Self {
            mode: HlAttnMode::ZeroStart,
            order: low_to_high(),
        }
    }
}

impl HlAttn {
    /// Says whether the order names every level.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn check(&self) -> Result<(), String> {
        match Level::ALL.iter().find(|level| !self.order.contains(level)) {
            Some(missing) => Err(format!("{missing:?} is missing from {:?}", self.order)),
            None => Ok(()),
        }
    }
}

/// Fuses `deltas [3·batch, tokens, c]`, the experts' differences from the frozen block in the order of
/// [`Level::ALL`], into one `[batch, tokens, c]`. With levels (a, b, c) in `config.order`:
///
/// 0. zero start: δ ← δ + SA(LN(δ)) for every level, with shared weights;
/// 1. L = CrossFuse(δ_b, δ_a), L ← δ_b + g_low·(L − δ_b);
/// 2. H = CrossFuse(δ_c, L), H ← δ_c + g_high·(H − δ_c);
/// 3. the result is `output_scale`·H (zero start) or LN(H) (released),
///
/// where CrossFuse(q, k) = q + W·MHA(LN_q(q), LN_k(k), LN_v(k)) + b. Attention runs within the
/// windows that `tokens` gives; tokens that pad a window are masked out.
pub fn hl_attn(
    g: &mut Graph,
    config: &HlAttn,
    deltas: Value,
    heads: usize,
    tokens: Tokens,
) -> Value {
    let [stacked, _, c] = g.dims(deltas);
    if let Err(message) = config.check() {
        g.fail("hl_attn", message);
    }
    let batch = stacked / 3;
    let deltas = match config.mode {
        HlAttnMode::ZeroStart => {
            let y = layer_norm(g, "self_norm", deltas, EPS);
            let y = multi_head(g, "self_attn", [y; 3], heads, tokens);
            g.add(deltas, y)
        }
        HlAttnMode::Released => deltas,
    };
    let [low, middle, high] = config.order.map(|level| {
        let at = Level::ALL.iter().position(|&l| l == level).unwrap_or(0);
        g.slice(deltas, 0, at * batch, batch)
    });
    let fused = gated_fuse(g, "low", middle, low, heads, tokens);
    let fused = gated_fuse(g, "high", high, fused, heads, tokens);
    match config.mode {
        HlAttnMode::ZeroStart => {
            let scale = g.param("output_scale", &[c], Init::Zeros);
            g.mul(fused, scale)
        }
        HlAttnMode::Released => layer_norm(g, "final_norm", fused, EPS),
    }
}

/// q + gate·(W·MHA(LN_q(q), LN_k(k), LN_v(k)) + b), the gate being a scalar that starts at one.
fn gated_fuse(
    g: &mut Graph,
    step: &str,
    q: Value,
    k: Value,
    heads: usize,
    tokens: Tokens,
) -> Value {
    let [_, _, c] = g.dims(q);
    let update = g.within(format!("{step}_level_fuser"), |g| {
        let query = layer_norm(g, "query_norm", q, EPS);
        let key = layer_norm(g, "key_norm", k, EPS);
        let value = layer_norm(g, "value_norm", k, EPS);
        let y = multi_head(g, "attn", [query, key, value], heads, tokens);
        linear(g, "out_proj", y, c)
    });
    let gate = g.param(&format!("{step}_gate"), &[], Init::Ones);
    let update = g.mul(update, gate);
    g.add(q, update)
}

fn low_to_high() -> [Level; 3] {
    [Level::Pixel, Level::Patch, Level::Image]
}
