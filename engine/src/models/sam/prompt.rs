//! SAM's prompt encoder: points, boxes and masks (SAM, prompt_encoder.py).

use super::block::EPS;
use super::positions::fourier_features;
use crate::nn::{conv, layer_norm};
use crate::{Graph, Init, Value};

/// What tells the decoder which object is meant. Coordinates are pixels of the encoder's input image,
/// x first; pixel centres are added here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prompts {
    /// Points `[batch, n, 2]` and their labels `[batch, n]` (f32): 1 is on the object, 0 beside it, −1
    /// no point at all.
    pub points: Option<(Value, Value)>,
    /// Boxes `[batch, 4]`: x and y of the top left corner, then of the bottom right one.
    pub boxes: Option<Value>,
    /// Mask logits `[batch, 4·grid, 4·grid, 1]`, such as the decoder's own.
    pub mask: Option<Value>,
}

/// Prompts as the decoder takes them.
#[derive(Clone, Copy, Debug)]
pub struct EncodedPrompts {
    /// A token per point and corner, `[batch, n, dim]`; none without points and boxes.
    pub sparse: Option<Value>,
    /// What is added to the image's features: `[batch, grid², dim]` with a mask, else `[1, 1, dim]`.
    pub dense: Value,
}

/// Encodes prompts for an image of `image_size_px` and its features of `dim` channels. Parameters are
/// under `prompt_encoder`.
pub fn encode_prompts(
    g: &mut Graph,
    prompts: &Prompts,
    image_size_px: usize,
    dim: usize,
) -> EncodedPrompts {
    // Without a box, SAM appends a point that is none.
    let pads = prompts.boxes.is_none();
    encode_padded(g, prompts, image_size_px, dim, pads)
}

/// [`encode_prompts`], with a point that is none among points and boxes if it `pads`.
pub(crate) fn encode_padded(
    g: &mut Graph,
    prompts: &Prompts,
    image_size_px: usize,
    dim: usize,
    pads: bool,
) -> EncodedPrompts {
    g.within("prompt_encoder", |g| {
        let mut tokens = Vec::new();
        if let Some((points, labels)) = prompts.points {
            tokens.push(encode_points(g, points, labels, image_size_px, dim));
        }
        if let Some(boxes) = prompts.boxes {
            tokens.push(encode_boxes(g, boxes, image_size_px, dim));
        }
        if let (true, Some(&first)) = (pads, tokens.first()) {
            let batch = g.shape(first)[0];
            let absent = embedding(g, "not_a_point_embed", dim);
            tokens.push(g.broadcast(absent, &[batch, 1, dim]));
        }
        EncodedPrompts {
            sparse: (!tokens.is_empty()).then(|| g.concat(&tokens, 1)),
            dense: encode_mask(g, prompts.mask, dim),
        }
    })
}

/// `points [batch, n, 2]` of kinds `labels [batch, n]` as `[batch, n, dim]`.
fn encode_points(
    g: &mut Graph,
    points: Value,
    labels: Value,
    image_size_px: usize,
    dim: usize,
) -> Value {
    let [batch, n, _] = g.dims(points);
    let labels = g.reshape(labels, &[batch, n, 1]);
    let is = |g: &mut Graph, label: f32| {
        let label = g.scalar(label);
        g.eq(labels, label)
    };
    let place = encode_place(g, points, image_size_px, dim);
    let absent = embedding(g, "not_a_point_embed", dim);
    let missing = is(g, -1.0);
    let mut tokens = g.select(missing, absent, place);
    for label in [0, 1] {
        let kind = embedding(g, &format!("point_embeddings.{label}"), dim);
        let chosen = is(g, label as f32);
        let added = g.mul(chosen, kind);
        tokens = g.add(tokens, added);
    }
    tokens
}

/// The two corners of `boxes [batch, 4]` as `[batch, 2, dim]`.
fn encode_boxes(g: &mut Graph, boxes: Value, image_size_px: usize, dim: usize) -> Value {
    let [batch, _] = g.dims(boxes);
    let corners = g.reshape(boxes, &[batch, 2, 2]);
    let place = encode_place(g, corners, image_size_px, dim);
    let kinds = [2, 3].map(|i| embedding(g, &format!("point_embeddings.{i}"), dim));
    let kinds = g.concat(&kinds, 0);
    g.add(place, kinds)
}

/// Positions of the pixels at `xy [batch, n, 2]`, `[batch, n, dim]`.
fn encode_place(g: &mut Graph, xy: Value, image_size_px: usize, dim: usize) -> Value {
    let centre = g.offset(xy, 0.5);
    let relative = g.scale(centre, 2.0 / image_size_px as f32);
    let relative = g.offset(relative, -1.0);
    fourier_features(g, relative, dim)
}

/// Mask logits at a quarter of their extent, or the embedding that stands for no mask.
fn encode_mask(g: &mut Graph, mask: Option<Value>, dim: usize) -> Value {
    const WIDTH: usize = 16;
    let Some(mask) = mask else {
        let none = embedding(g, "no_mask_embed", dim);
        return g.reshape(none, &[1, 1, dim]);
    };
    g.within("mask_downscaling", |g| {
        let y = conv(g, "0", mask, WIDTH / 4, (2, 2), false, true);
        let y = layer_norm(g, "1", y, EPS);
        let y = g.gelu(y);
        let y = conv(g, "3", y, WIDTH, (2, 2), false, true);
        let y = layer_norm(g, "4", y, EPS);
        let y = g.gelu(y);
        let y = conv(g, "6", y, dim, (1, 1), false, true);
        let [batch, height, width, _] = g.dims(y);
        g.reshape(y, &[batch, height * width, dim])
    })
}

/// A learned vector, `{name}.weight [1, dim]`.
pub(super) fn embedding(g: &mut Graph, name: &str, dim: usize) -> Value {
    g.param(&format!("{name}.weight"), &[1, dim], Init::Normal(1.0))
}
