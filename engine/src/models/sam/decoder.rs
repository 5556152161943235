//! The mask decoder (SAM, mask_decoder.py), by prompts as SAM's own, or without and with one mask token
//! per class (SAMed §3.3).

use super::MaskDecoderConfig;
use super::block::EPS;
use super::positions::dense_positions;
use super::prompt::{EncodedPrompts, Prompts, embedding, encode_prompts};
use super::transformer::{Layers, two_way_transformer};
use crate::nn::{conv_transpose2x2, layer_norm, linear};
use crate::{Graph, Init, Value};

/// What the decoder predicts.
#[derive(Clone, Copy, Debug)]
pub struct Masks {
    /// Logits `[batch, 4·grid, 4·grid, n]` of each mask token. Without prompts these are classes, 0
    /// being the background.
    pub logits: Value,
    /// Predicted quality of each mask `[batch, n]`; SAMed's loss does not use it.
    pub quality: Value,
}

impl Masks {
    /// SAM's answer to a clear prompt: the first of its masks.
    pub fn single(self, g: &mut Graph) -> Self {
        self.part(g, 0, 1)
    }

    /// SAM's answers to an ambiguous prompt: all masks but the first.
    pub fn multiple(self, g: &mut Graph) -> Self {
        let count = g.shape(self.quality).last().map_or(0, |n| n - 1);
        self.part(g, 1, count)
    }

    fn part(self, g: &mut Graph, first: usize, count: usize) -> Self {
        Self {
            logits: g.slice(self.logits, 3, first, count),
            quality: g.slice(self.quality, 1, first, count),
        }
    }
}

/// Decodes the encoder's `features [batch, grid, grid, dim]` without prompts: no sparse tokens, and
/// `no_mask_embed` as the dense one. Parameters are under `prompt_encoder` and `mask_decoder`.
pub fn decode_masks(g: &mut Graph, config: &MaskDecoderConfig, features: Value) -> Masks {
    decode_classes(g, config, Layers::SelfFirst, features).0
}

/// [`decode_masks`] with a transformer of such layers. Also returns the vectors of pixels of which masks
/// are products, `[batch, 4·grid, 4·grid, dim/8]`.
pub(crate) fn decode_classes(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    layers: Layers,
    features: Value,
) -> (Masks, Value) {
    let [batch, _, _, dim] = g.dims(features);
    let none = encode_prompts(g, &Prompts::default(), 1, dim);
    decode(g, config, layers, batch, features, none)
}

/// Decodes the encoder's `features [batch, grid, grid, dim]` of an image of `image_size_px` by prompts
/// ([`MaskDecoderConfig::sam`] has SAM's heads). The features of one image may meet the prompts for many
/// objects in it. Parameters are under `prompt_encoder` and `mask_decoder`.
pub fn decode_prompted(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    features: Value,
    image_size_px: usize,
    prompts: &Prompts,
) -> Masks {
    let [images, _, _, dim] = g.dims(features);
    let values = [prompts.points.map(|p| p.0), prompts.boxes, prompts.mask];
    let batches = values.iter().flatten().map(|&v| g.shape(v)[0]);
    let batch = batches.fold(images, usize::max);
    let encoded = encode_prompts(g, prompts, image_size_px, dim);
    decode(g, config, Layers::SelfFirst, batch, features, encoded).0
}

/// Decodes features of a batch that is 1 or `batch`.
fn decode(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    layers: Layers,
    batch: usize,
    features: Value,
    prompts: EncodedPrompts,
) -> (Masks, Value) {
    let [_, _, _, dim] = g.dims(features);
    if let Err((field, message)) = config.check(dim) {
        g.fail("mask_decoder", format!("{field}: {message}"));
        let masks = Masks {
            logits: features,
            quality: features,
        };
        return (masks, features);
    }
    let learned = &["iou_token"];
    let (tokens, image) = transform(g, config, layers, learned, batch, features, prompts);
    g.within("mask_decoder", |g| {
        let pixels = upscale(g, image);
        (predict(g, config, tokens, pixels), pixels)
    })
}

/// The transformer on features of a batch that is 1 or `batch`: the tokens `[batch, n, dim]`, of which the learned
/// ones of these names come first, then those of the masks, and the image `[batch, grid, grid, dim]`.
pub(crate) fn transform(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    layers: Layers,
    learned: &[&str],
    batch: usize,
    features: Value,
    prompts: EncodedPrompts,
) -> (Value, Value) {
    let [images, grid, _, dim] = g.dims(features);
    let positions = dense_positions(g, grid, dim);
    let image = g.reshape(features, &[images, grid * grid, dim]);
    let image = g.add(image, prompts.dense);
    let image = g.broadcast(image, &[batch, grid * grid, dim]);
    g.within("mask_decoder", |g| {
        let classes = config.classes;
        let mut own: Vec<Value> = learned.iter().map(|name| embedding(g, name, dim)).collect();
        own.push(g.param("mask_tokens.weight", &[classes, dim], Init::Normal(1.0)));
        let tokens = g.concat(&own, 0);
        let mut tokens = g.broadcast(tokens, &[batch, learned.len() + classes, dim]);
        if let Some(sparse) = prompts.sparse {
            let [_, n, _] = g.dims(sparse);
            let sparse = g.broadcast(sparse, &[batch, n, dim]);
            tokens = g.concat(&[tokens, sparse], 1);
        }
        let (tokens, image) = g.within("transformer", |g| {
            two_way_transformer(g, config, layers, tokens, image, positions)
        });
        (tokens, g.reshape(image, &[batch, grid, grid, dim]))
    })
}

/// Masks from `tokens [batch, n, dim]`, the one of the qualities and those of the masks first, and
/// `pixels [batch, h, w, width]`, in the scope of the decoder.
pub(crate) fn predict(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    tokens: Value,
    pixels: Value,
) -> Masks {
    let classes = config.classes;
    let [batch, _, dim] = g.dims(tokens);
    let [_, _, _, width] = g.dims(pixels);
    let hyper = g.slice(tokens, 1, 1, classes);
    let widths = [dim, dim, width];
    let hyper = hypernetworks(g, "output_hypernetworks_mlps", hyper, &widths);
    let iou = g.slice(tokens, 1, 0, 1);
    let iou = g.reshape(iou, &[batch, dim]);
    Masks {
        // Each class's mask is the product of its token's vector with every pixel's.
        logits: products(g, pixels, hyper),
        quality: perceptron(g, "iou_prediction_head", iou, classes),
    }
}

/// Three layers on `x [batch, dim]`: `[batch, out]`.
pub(crate) fn perceptron(g: &mut Graph, name: &str, x: Value, out: usize) -> Value {
    let [_, dim] = g.dims(x);
    g.within(format!("{name}.layers"), |g| {
        let y = linear(g, "0", x, dim);
        let y = g.relu(y);
        let y = linear(g, "1", y, dim);
        let y = g.relu(y);
        linear(g, "2", y, out)
    })
}

/// Two transposed convolutions: four times the extent, an eighth of the channels.
pub(crate) fn upscale(g: &mut Graph, image: Value) -> Value {
    let [_, _, _, dim] = g.dims(image);
    g.within("output_upscaling", |g| {
        let y = conv_transpose2x2(g, "0", image, dim / 4, true);
        let y = layer_norm(g, "1", y, EPS);
        let y = g.gelu(y);
        let y = conv_transpose2x2(g, "3", y, dim / 8, true);
        g.gelu(y)
    })
}

/// One perceptron under `{name}.{class}` on each class's token: `[batch, classes, dim]` to
/// `[batch, classes, last of widths]`. The classes' layers are stacked into batched products.
pub(crate) fn hypernetworks(g: &mut Graph, name: &str, tokens: Value, widths: &[usize]) -> Value {
    let [_, classes, mut width] = g.dims(tokens);
    let mut y = g.permute(tokens, &[1, 0, 2]);
    for (layer, &out) in widths.iter().enumerate() {
        let init = Init::Uniform(1.0 / (width.max(1) as f32).sqrt());
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for class in 0..classes {
            g.within(format!("{name}.{class}.layers.{layer}"), |g| {
                weights.push(g.param("weight", &[out, width], init));
                biases.push(g.param("bias", &[out], init));
            });
        }
        let weights = g.stack(&weights, 0);
        let weights = g.transpose(weights);
        let biases = g.stack(&biases, 0);
        let biases = g.reshape(biases, &[classes, 1, out]);
        y = g.matmul(y, weights);
        y = g.add(y, biases);
        if layer + 1 < widths.len() {
            y = g.relu(y);
        }
        width = out;
    }
    g.permute(y, &[1, 0, 2])
}

/// Logits `[batch, h, w, classes]`: the product of each class's vector, `[batch, classes, c]`, with each
/// pixel's, `[batch, h, w, c]`.
pub(crate) fn products(g: &mut Graph, pixels: Value, vectors: Value) -> Value {
    let [batch, height, width, channels] = g.dims(pixels);
    let [_, classes, _] = g.dims(vectors);
    let flat = g.reshape(pixels, &[batch, height * width, channels]);
    let vectors = g.transpose(vectors);
    let logits = g.matmul(flat, vectors);
    g.reshape(logits, &[batch, height, width, classes])
}
