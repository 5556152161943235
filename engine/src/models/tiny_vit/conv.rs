//! Convolutions with frozen BatchNorm, and what is made of them (tiny_vit_sam.py).

use super::{Stem, TinyVitConfig};
use crate::nn::{Statistics, batch_norm, conv};
use crate::{Graph, Init, Value};

/// The two layers before the first stage, `Conv2d_BN` each: `image [batch, h, w, 3]` to the first
/// stage's channels.
pub(super) fn patch_embed(g: &mut Graph, config: &TinyVitConfig, image: Value) -> Value {
    let shape = match config.stem {
        Stem::Halving => (3, 2),
        Stem::Pointwise => (1, 1),
    };
    let dim = config.dims[0];
    g.within("patch_embed.seq", |g| {
        let y = conv_bn(g, "0", image, dim / 2, shape);
        let y = g.gelu(y);
        conv_bn(g, "2", y, dim, shape)
    })
}

/// A block of the first stage, `MBConv`: wider, filtered, narrower, added to `x [batch, h, w, c]`.
pub(super) fn inverted_bottleneck(g: &mut Graph, x: Value, hidden: usize) -> Value {
    let [_, _, _, c] = g.dims(x);
    let y = conv_bn(g, "conv1", x, hidden, (1, 1));
    let y = g.gelu(y);
    let y = depthwise_bn(g, "conv2", y, 1);
    let y = g.gelu(y);
    let y = conv_bn(g, "conv3", y, c, (1, 1));
    let y = g.add(x, y);
    g.gelu(y)
}

/// From one stage to the next, `PatchMerging`: `out` channels at 1/`stride` of the extent.
pub(super) fn downsample(g: &mut Graph, x: Value, out: usize, stride: usize) -> Value {
    let y = conv_bn(g, "conv1", x, out, (1, 1));
    let y = g.gelu(y);
    let y = depthwise_bn(g, "conv2", y, stride);
    let y = g.gelu(y);
    conv_bn(g, "conv3", y, out, (1, 1))
}

/// `Conv2d_BN` with a 3×3 kernel per channel.
pub(super) fn depthwise_bn(g: &mut Graph, name: &str, x: Value, stride: usize) -> Value {
    let [_, _, _, c] = g.dims(x);
    g.within(name, |g| {
        let weight = g.param("c.weight", &[c, 1, 3, 3], Init::Uniform(1.0 / 3.0));
        let y = g.depthwise_conv2d(x, weight, stride, [1; 4]);
        batch_norm(g, "bn", y, Statistics::Running)
    })
}

/// `Conv2d_BN`: convolution `c` without bias, then BatchNorm `bn` by its running statistics.
fn conv_bn(g: &mut Graph, name: &str, x: Value, out: usize, shape: (usize, usize)) -> Value {
    g.within(name, |g| {
        let y = conv(g, "c", x, out, shape, true, false);
        batch_norm(g, "bn", y, Statistics::Running)
    })
}
