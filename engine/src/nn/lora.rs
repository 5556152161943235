//! Low-rank updates of queries and values (Hu et al. 2021; SAMora §3.1).

use serde::{Deserialize, Serialize};

use crate::{Graph, Init, Value};

/// The three levels of SAMora's self-supervision, one expert each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Whole images, taught by SimCLR.
    Image,
    /// Patches, taught by MAE.
    Patch,
    /// Pixels, by denoising.
    Pixel,
}

impl Level {
    /// All levels, in the order experts are stacked.
    pub const ALL: [Self; 3] = [Self::Image, Self::Patch, Self::Pixel];

    /// Its name in parameter names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Patch => "patch",
            Self::Pixel => "pixel",
        }
    }
}

/// One low-rank update within the current scope.
#[derive(Clone, Debug)]
pub struct LowRank {
    /// Scope of `linear_{a,b}_{q,v}.weight`.
    pub scope: String,
    /// Name of the learnable factor, if it has one.
    pub scale: Option<String>,
}

/// Updates Δq = s·B_q·A_q·x and Δv = s·B_v·A_v·x of `x [batch, tokens, c]` for `n` experts, each
/// `[n, batch, tokens, out]`. `A [rank, c]` starts uniform in ±1/√c, `B [out, rank]` at zero and the
/// scalar s at one. All experts share two products: one down, one batched up.
pub fn low_rank_updates(
    g: &mut Graph,
    x: Value,
    experts: &[LowRank],
    (rank, out): (usize, usize),
) -> (Value, Value) {
    let [batch, tokens, c] = g.dims(x);
    let (rows, n) = (batch * tokens, experts.len());
    let init = Init::Uniform(1.0 / (c as f32).sqrt());
    let (mut down, mut up) = (Vec::new(), Vec::new());
    for side in ["q", "v"] {
        for expert in experts {
            g.within(expert.scope.as_str(), |g| {
                down.push(g.param(&format!("linear_a_{side}.weight"), &[rank, c], init));
                up.push(g.param(
                    &format!("linear_b_{side}.weight"),
                    &[out, rank],
                    Init::Zeros,
                ));
            });
        }
    }
    let down = g.concat(&down, 0);
    let down = g.transpose(down);
    let flat = g.reshape(x, &[rows, c]);
    let low = g.matmul(flat, down);
    let low = g.reshape(low, &[rows, 2 * n, rank]);
    let low = g.permute(low, &[1, 0, 2]);
    let mut up = g.stack(&up, 0);
    if experts.iter().any(|expert| expert.scale.is_some()) {
        let factors: Vec<Value> = experts
            .iter()
            .map(|expert| match &expert.scale {
                Some(name) => g.param(name, &[], Init::Ones),
                None => g.scalar(1.0),
            })
            .collect();
        let factors = g.stack(&[factors.as_slice(), factors.as_slice()].concat(), 0);
        let factors = g.reshape(factors, &[2 * n, 1, 1]);
        // Of all that s could multiply, B does not grow with the tokens, and is what its gradient reads.
        up = g.mul(up, factors);
    }
    let up = g.transpose(up);
    let deltas = g.matmul(low, up);
    let deltas = g.reshape(deltas, &[2 * n, batch, tokens, out]);
    (g.slice(deltas, 0, 0, n), g.slice(deltas, 0, n, n))
}

/// `qkv [batch, tokens, 3·out]` with one expert's updates of `x [batch, tokens, c]` added to its queries and values.
/// The sums end the product that gives `qkv`, so that no copy of q and v is kept beside it.
pub fn add_low_rank_update(
    g: &mut Graph,
    qkv: Value,
    x: Value,
    expert: LowRank,
    rank: usize,
) -> Value {
    let [batch, tokens, all] = g.dims(qkv);
    let out = all / 3;
    let (dq, dv) = low_rank_updates(g, x, &[expert], (rank, out));
    [(dq, 0), (dv, 2 * out)]
        .into_iter()
        .fold(qkv, |sum, (delta, before)| {
            let delta = g.reshape(delta, &[batch, tokens, out]);
            let delta = g.pad(delta, 2, before, 2 * out - before);
            g.add(sum, delta)
        })
}
