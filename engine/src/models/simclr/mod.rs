//! SimCLRv2 (Chen et al. 2020): a ResNet with optional selective kernels and a projection head,
//! trained by contrast; SAMora's teacher at the image level. Parameter names are those of the PyTorch
//! port of the published weights: `resnet.net.…` and `head.layers.…`.

mod resnet;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::nn::loss::nt_xent;
use crate::nn::{Statistics, batch_norm_with, linear_with};
use crate::{Graph, Init, Value};

/// Sizes of backbone and head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimclrConfig {
    /// Bottleneck blocks of each stage; every stage but the first halves the extent.
    #[serde(default = "blocks")]
    pub blocks: Vec<usize>,
    /// Channels of the stem and of the first stage's bottlenecks; stages double it. 64 in ResNet-50,
    /// 128 in ResNet-50 (2×).
    pub width: usize,
    /// Whether 3×3 convolutions are selective kernels (Li et al. 2019), with ResNet-D's stem.
    #[serde(default)]
    pub selective_kernels: bool,
    /// Outputs of the projection head.
    #[serde(default = "projection_dim")]
    pub projection_dim: usize,
}

impl SimclrConfig {
    /// ResNet-50 (1×), 23.5 M parameters in the backbone.
    pub fn r50() -> Self {
        Self {
            blocks: blocks(),
            width: 64,
            selective_kernels: false,
            projection_dim: projection_dim(),
        }
    }

    /// ResNet-50 (2×) with selective kernels, SAMora's teacher.
    pub fn r50_2x_sk() -> Self {
        Self {
            width: 128,
            selective_kernels: true,
            ..Self::r50()
        }
    }

    /// A small one that trains in minutes.
    pub fn tiny() -> Self {
        Self {
            blocks: vec![1, 1, 1],
            width: 16,
            selective_kernels: false,
            projection_dim: 64,
        }
    }

    /// Channels of the pooled features.
    pub fn feature_dim(&self) -> usize {
        let doublings = self.blocks.len().saturating_sub(1) as u32;
        self.width * resnet::EXPANSION * 2usize.pow(doublings.min(16))
    }

    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.blocks.is_empty() || self.blocks.len() > 8 || self.blocks.contains(&0) {
            let message = format!("{:?} is not one to eight stages of blocks", self.blocks);
            return Err(("blocks", message));
        }
        if self.width == 0 || !self.width.is_multiple_of(2) {
            return Err((
                "width",
                format!("{} is not a positive even number", self.width),
            ));
        }
        if self.projection_dim == 0 {
            return Err(("projection_dim", "must not be 0".into()));
        }
        Ok(())
    }
}

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

fn blocks() -> Vec<usize> {
    vec![3, 4, 6, 3]
}

fn projection_dim() -> usize {
    128
}
