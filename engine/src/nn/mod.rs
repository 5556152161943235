//! Layers and losses: functions from values to values that declare their parameters under the names
//! of the published checkpoints. Activations are `[batch, tokens, channels]` or `[batch, h, w, channels]`.

pub(crate) mod attention;
mod conv;
mod hl_attn;
mod linear;
mod lora;
pub mod loss;
mod norm;

pub use attention::{modulated_attention, multi_head, projected_attention};
pub use conv::{conv, conv_transpose2x2};
pub use hl_attn::{HlAttn, HlAttnMode, hl_attn};
pub use linear::{linear, linear_part, linear_with, mlp};
pub use lora::{Level, LowRank, add_low_rank_update, low_rank_updates};
pub use norm::{Statistics, batch_norm, batch_norm_with, layer_norm};

#[cfg(test)]
mod tests;
