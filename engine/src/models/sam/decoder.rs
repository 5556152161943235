//! The prompt-free mask decoder: SAM's, with one mask token per class (SAMed §3.3).

use std::f32::consts::TAU;

use super::MaskDecoderConfig;
use super::block::EPS;
use super::transformer::two_way_transformer;
use crate::nn::{conv_transpose2x2, layer_norm, linear};
use crate::{Graph, Init, Tensor, Value};

/// What the decoder predicts.
#[derive(Clone, Copy, Debug)]
pub struct Masks {
    /// Class logits `[batch, 4·grid, 4·grid, classes]`; class 0 is the background.
    pub logits: Value,
    /// Predicted quality of each mask `[batch, classes]`; SAMed's loss does not use it.
    pub quality: Value,
}

/// Decodes the encoder's `features [batch, grid, grid, dim]` without prompts: no sparse tokens, and
/// `no_mask_embed` as the dense one. Parameters are under `prompt_encoder` and `mask_decoder`.
pub fn decode_masks(g: &mut Graph, config: &MaskDecoderConfig, features: Value) -> Masks {
    let [batch, grid, _, dim] = g.dims(features);
    if let Err((field, message)) = config.check(dim) {
        g.fail("mask_decoder", format!("{field}: {message}"));
        return Masks {
            logits: features,
            quality: features,
        };
    }
    let positions = dense_positions(g, grid, dim);
    let dense = g.param(
        "prompt_encoder.no_mask_embed.weight",
        &[1, dim],
        Init::Normal(1.0),
    );
    let image = g.reshape(features, &[batch, grid * grid, dim]);
    let image = g.add(image, dense);
    g.within("mask_decoder", |g| {
        let classes = config.classes;
        let iou = g.param("iou_token.weight", &[1, dim], Init::Normal(1.0));
        let mask = g.param("mask_tokens.weight", &[classes, dim], Init::Normal(1.0));
        let tokens = g.concat(&[iou, mask], 0);
        let tokens = g.broadcast(tokens, &[batch, classes + 1, dim]);
        let (tokens, image) = g.within("transformer", |g| {
            two_way_transformer(g, config, tokens, image, positions)
        });
        let image = g.reshape(image, &[batch, grid, grid, dim]);
        let (pixels, width) = upscale(g, image);
        let hyper = g.slice(tokens, 1, 1, classes);
        let hyper = hypernetworks(g, hyper, width);
        // Each class's mask is the product of its token's vector with every pixel's.
        let flat = g.reshape(pixels, &[batch, 16 * grid * grid, width]);
        let hyper = g.transpose(hyper);
        let logits = g.matmul(flat, hyper);
        let iou = g.slice(tokens, 1, 0, 1);
        let iou = g.reshape(iou, &[batch, dim]);
        let quality = g.within("iou_prediction_head.layers", |g| {
            let y = linear(g, "0", iou, dim);
            let y = g.relu(y);
            let y = linear(g, "1", y, dim);
            let y = g.relu(y);
            linear(g, "2", y, classes)
        });
        Masks {
            logits: g.reshape(logits, &[batch, 4 * grid, 4 * grid, classes]),
            quality,
        }
    })
}

/// Random Fourier features of every grid cell's centre, `[grid², dim]`: with c = 2·(x, y) − 1 and
/// the matrix G `[2, dim/2]`, [sin(2π·c·G), cos(2π·c·G)] (SAM, prompt_encoder.py,
/// `PositionEmbeddingRandom`).
pub fn dense_positions(g: &mut Graph, grid: usize, dim: usize) -> Value {
    g.within("prompt_encoder", |g| {
        let name = "pe_layer.positional_encoding_gaussian_matrix";
        let gaussian = g.param(name, &[2, dim / 2], Init::Normal(1.0));
        let at = |i: usize| 2.0 * (i as f32 + 0.5) / grid as f32 - 1.0;
        let centres = (0..grid * grid)
            .flat_map(|i| [at(i % grid), at(i / grid)])
            .collect();
        let centres = g.constant("centres", Tensor::f32(&[grid * grid, 2], centres));
        let angle = g.matmul(centres, gaussian);
        let angle = g.scale(angle, TAU);
        let (sine, cosine) = (g.sin(angle), g.cos(angle));
        g.concat(&[sine, cosine], 1)
    })
}

/// Two transposed convolutions: four times the extent, an eighth of the channels.
fn upscale(g: &mut Graph, image: Value) -> (Value, usize) {
    let [_, _, _, dim] = g.dims(image);
    g.within("output_upscaling", |g| {
        let y = conv_transpose2x2(g, "0", image, dim / 4, true);
        let y = layer_norm(g, "1", y, EPS);
        let y = g.gelu(y);
        let y = conv_transpose2x2(g, "3", y, dim / 8, true);
        (g.gelu(y), dim / 8)
    })
}

/// One three-layer perceptron per class on its token: `[batch, classes, dim]` to
/// `[batch, classes, width]`. The classes' layers are stacked into batched products.
fn hypernetworks(g: &mut Graph, tokens: Value, width: usize) -> Value {
    let [_, classes, dim] = g.dims(tokens);
    let init = Init::Uniform(1.0 / (dim as f32).sqrt());
    let mut y = g.permute(tokens, &[1, 0, 2]);
    for (layer, out) in [(0, dim), (1, dim), (2, width)] {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for class in 0..classes {
            g.within(
                format!("output_hypernetworks_mlps.{class}.layers.{layer}"),
                |g| {
                    weights.push(g.param("weight", &[out, dim], init));
                    biases.push(g.param("bias", &[out], init));
                },
            );
        }
        let weights = g.stack(&weights, 0);
        let weights = g.transpose(weights);
        let biases = g.stack(&biases, 0);
        let biases = g.reshape(biases, &[classes, 1, out]);
        y = g.matmul(y, weights);
        y = g.add(y, biases);
        if layer < 2 {
            y = g.relu(y);
        }
    }
    g.permute(y, &[1, 0, 2])
}
