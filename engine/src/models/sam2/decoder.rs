//! The prompt encoder's rule and the mask decoder (mask_decoder.py): SAM's, with a token for the object's presence
//! and the pyramid's fine features; by prompts, or without and with one mask token per class.

use super::Embedding;
use crate::models::sam::{
    EncodedPrompts, Layers, MaskDecoderConfig, Masks, Prompts, encode_padded, perceptron, predict,
    transform,
};
use crate::nn::{conv_transpose2x2, layer_norm};
use crate::{Graph, Value};

/// Of the norm between the transposed convolutions.
const EPS: f32 = 1e-6;
/// Tokens before those of the masks; the masks' qualities are read from the second.
const LEARNED: [&str; 2] = ["obj_score_token", "iou_token"];

/// What the decoder predicts.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    /// The masks; their qualities are in [0, 1].
    pub masks: Masks,
    /// Whether the object is in the image at all, `[batch, 1]`: a logit, which images are decoded without.
    pub object_score: Value,
}

/// Encodes prompts for an image of `image_size_px` and its embedding of `dim` channels. Boxes count as two points, so
/// unlike SAM a point that is none follows them too. Parameters are under `prompt_encoder`.
pub fn encode_prompts(
    g: &mut Graph,
    prompts: &Prompts,
    image_size_px: usize,
    dim: usize,
) -> EncodedPrompts {
    encode_padded(g, prompts, image_size_px, dim, true)
}

/// Decodes without prompts: no sparse tokens, and `no_mask_embed` as the dense one. Parameters are under
/// `prompt_encoder` and `mask_decoder`.
pub fn decode_masks(g: &mut Graph, config: &MaskDecoderConfig, embedding: &Embedding) -> Masks {
    let [batch, _, _, dim] = g.dims(embedding.image);
    let none = encode_prompts(g, &Prompts::default(), 1, dim);
    decode(g, config, batch, embedding, none).0
}

/// Decodes the embedding of an image of `image_size_px` by prompts ([`MaskDecoderConfig::sam`] has SAM 2's heads). The
/// embedding of one image may meet the prompts for many objects in it. Parameters are under `prompt_encoder` and
/// `mask_decoder`.
pub fn decode_prompted(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    embedding: &Embedding,
    image_size_px: usize,
    prompts: &Prompts,
) -> Decoded {
    let [images, _, _, dim] = g.dims(embedding.image);
    let values = [prompts.points.map(|p| p.0), prompts.boxes, prompts.mask];
    let batches = values.iter().flatten().map(|&v| g.shape(v)[0]);
    let batch = batches.fold(images, usize::max);
    let encoded = encode_prompts(g, prompts, image_size_px, dim);
    let (masks, tokens) = decode(g, config, batch, embedding, encoded);
    let presence = g.slice(tokens, 1, 0, 1);
    let presence = g.reshape(presence, &[batch, dim]);
    let object_score = g.within("mask_decoder", |g| {
        perceptron(g, "pred_obj_score_head", presence, 1)
    });
    Decoded {
        masks,
        object_score,
    }
}

/// Decodes an embedding of a batch that is 1 or `batch`; also returns the tokens.
fn decode(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    batch: usize,
    embedding: &Embedding,
    prompts: EncodedPrompts,
) -> (Masks, Value) {
    let [_, _, _, dim] = g.dims(embedding.image);
    if let Err((field, message)) = config.check(dim) {
        g.fail("mask_decoder", format!("{field}: {message}"));
        let masks = Masks {
            logits: embedding.image,
            quality: embedding.image,
        };
        return (masks, embedding.image);
    }
    let (tokens, image) = transform(
        g,
        config,
        Layers::SelfFirst,
        &LEARNED,
        batch,
        embedding.image,
        prompts,
    );
    let masks = g.within("mask_decoder", |g| {
        let pixels = upscale(g, image, embedding.fine);
        let own = g.slice(tokens, 1, 1, 1 + config.classes);
        let masks = predict(g, config, own, pixels);
        Masks {
            quality: g.sigmoid(masks.quality),
            ..masks
        }
    });
    (masks, tokens)
}

/// Two transposed convolutions, each with the fine features of its extent added: four times the extent, an eighth of
/// the channels.
fn upscale(g: &mut Graph, image: Value, [eighth, quarter]: [Value; 2]) -> Value {
    let [_, _, _, dim] = g.dims(image);
    g.within("output_upscaling", |g| {
        let y = conv_transpose2x2(g, "0", image, dim / 4, true);
        let y = g.add(y, eighth);
        let y = layer_norm(g, "1", y, EPS);
        let y = g.gelu(y);
        let y = conv_transpose2x2(g, "3", y, dim / 8, true);
        let y = g.add(y, quarter);
        g.gelu(y)
    })
}
