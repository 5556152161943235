//! Attention of a block, and what its adapter makes of it.

use samora_shaders::Tokens;

use super::{Adapter, Fusion};
use crate::nn::{add_low_rank_update, hl_attn, linear, low_rank_updates};
use crate::{Graph, Init, Value};

/// Attends with the queries, keys and values `qkv [batch, n, 3c]` that the frozen block projects from
/// `y [batch, n, ·]`, and projects the result by `attn.proj`: `[batch, count, c]`, in the scope of the block.
/// `attend` maps queries, keys and values to `[·, count, c]`; queries and values may have a batch that is a
/// multiple of the keys'. HL-Attn fuses experts with `heads` within the windows of `tokens`, `count` of them.
///
/// Experts share k and differ from the frozen block by low-rank updates of q and v, so one product
/// and one batched attention serve the block and all its experts. `proj` being affine, only the
/// differences of the experts' outputs go through its weight.
pub(crate) fn adapted_attention(
    g: &mut Graph,
    adapter: &Adapter,
    (heads, tokens): (usize, Tokens),
    y: Value,
    qkv: Value,
    attend: impl Fn(&mut Graph, [Value; 3]) -> Value,
) -> Value {
    let [batch, n, all] = g.dims(qkv);
    let c = all / 3;
    let parts = |g: &mut Graph, qkv| [0, 1, 2].map(|i| g.slice(qkv, 2, i * c, c));
    let (mut updates, rank) = adapter.updates();
    let Adapter::Experts { fusion, .. } = adapter else {
        let qkv = match updates.pop() {
            Some(update) => add_low_rank_update(g, qkv, y, update, rank),
            None => qkv,
        };
        let qkv = parts(g, qkv);
        let out = attend(g, qkv);
        return linear(g, "attn.proj", out, c);
    };
    let [q, k, v] = parts(g, qkv);
    let (dq, dv) = low_rank_updates(g, y, &updates, (rank, c));
    let [q, v] = [(q, dq), (v, dv)].map(|(base, updates)| {
        let base = g.reshape(base, &[1, batch, n, c]);
        // The block itself comes first, without an update.
        let updates = g.pad(updates, 0, 1, 0);
        let all = g.add(base, updates);
        g.reshape(all, &[4 * batch, n, c])
    });
    let out = attend(g, [q, k, v]);
    let base = g.slice(out, 0, 0, batch);
    let frozen = linear(g, "attn.proj", base, c);
    let deltas = differences(g, out, base);
    let fused = match fusion {
        Fusion::HlAttn(form) => g.within("samora_adapter.fuser", |g| {
            hl_attn(g, form, deltas, heads, tokens)
        }),
        Fusion::Sum => {
            let [_, count, _] = g.dims(base);
            let split = g.reshape(deltas, &[3, batch, count, c]);
            g.sum(split, &[0])
        }
    };
    g.add(frozen, fused)
}

/// proj.weight·(out_e − base) for the three experts after the base in `out [4·batch, tokens, c]`.
fn differences(g: &mut Graph, out: Value, base: Value) -> Value {
    let [batch, count, c] = g.dims(base);
    let experts = g.slice(out, 0, batch, 3 * batch);
    let experts = g.reshape(experts, &[3, batch, count, c]);
    let deltas = g.sub(experts, base);
    let deltas = g.reshape(deltas, &[3 * batch, count, c]);
    // Declared by the `proj` layer, which runs first.
    let weight = g.param("attn.proj.weight", &[c, c], Init::Zeros);
    let weight = g.transpose(weight);
    g.matmul(deltas, weight)
}
