//! SimCLRv2 (Chen et al. 2020): a ResNet with optional selective kernels and a projection head,
//! trained by contrast; SAMora's teacher at the image level. Parameter names are those of the PyTorch
//! port of the published weights: `resnet.net.…` and `head.layers.…`.

mod config;
mod resnet;
#[cfg(test)]
mod tests;

pub use config::SimclrConfig;

use crate::nn::loss::nt_xent;
use crate::nn::{Statistics, batch_norm_with, linear_with};
use crate::{Graph, Init, Value};

/// Globally pooled features `[batch, feature_dim]` of `image [batch, h, w, 3]`.
pub fn features(
    g: &mut Graph,
    config: &SimclrConfig,
    image: Value,
    statistics: Statistics,
) -> Value {
    if let Err((field, message)) = config.check() {
        g.fail("simclr", format!("{field}: {message}"));
        return image;
    }
    let [_, height, width, channels] = g.dims(image);
    if channels != 3 {
        let message = format!("takes images of 3 channels, not {height}×{width}×{channels}");
        g.fail("simclr", message);
    }
    g.within("resnet.net", |g| {
        let map = resnet::backbone(g, config, image, statistics);
        g.mean(map, &[1, 2])
    })
}

/// The three-layer projection head: `[batch, feature_dim]` to `[batch, projection_dim]`. Layers have no
/// bias; each is followed by BatchNorm, the last one's without shift, and ReLU but after the last.
pub fn project(
    g: &mut Graph,
    config: &SimclrConfig,
    features: Value,
    statistics: Statistics,
) -> Value {
    let [_, width] = g.dims(features);
    g.within("head.layers", |g| {
        let mut x = features;
        for (layer, out) in [width, width, config.projection_dim]
            .into_iter()
            .enumerate()
        {
            let is_last = layer == 2;
            let init = Init::Normal(0.01);
            x = linear_with(g, &(3 * layer).to_string(), x, out, init, None);
            let name = (3 * layer + 1).to_string();
            x = batch_norm_with(g, &name, x, statistics, Init::Ones, !is_last);
            if !is_last {
                x = g.relu(x);
            }
        }
        x
    })
}

/// The training loss: NT-Xent between two views of each image, the first views in the first half of
/// `views [2·batch, h, w, 3]`, in training mode.
pub fn pretrain_loss(
    g: &mut Graph,
    config: &SimclrConfig,
    views: Value,
    temperature: f32,
) -> Value {
    let [count, _, _, _] = g.dims(views);
    if !count.is_multiple_of(2) {
        let message = format!("{count} views are not two of each image");
        g.fail("simclr", message);
    }
    let pooled = features(g, config, views, Statistics::Batch);
    let hidden = project(g, config, pooled, Statistics::Batch);
    nt_xent(g, hidden, temperature)
}
