//! The two decoders (H-SAM, sam.py, mask_decoder_512.py).

use serde::{Deserialize, Serialize};

use crate::models::sam::{
    Layers, MaskDecoderConfig, decode_classes, dense_positions, encode_prompts, hypernetworks,
    products, two_way_transformer, upscale,
};
use crate::nn::{conv_transpose2x2, layer_norm};
use crate::{Graph, Init, Value};

/// SAM's `LayerNorm2d`.
const EPS: f32 = 1e-6;
/// Layers of the second decoder's hypernetworks.
const LAYERS: usize = 5;

/// Class logits, class 0 being the background.
#[derive(Clone, Copy, Debug)]
pub struct HsamMasks {
    /// Of the first decoder, `[batch, 4·grid, 4·grid, classes]`.
    pub low: Value,
    /// Of the second, `[batch, 16·grid, 16·grid, classes]`: an encoder with patches of 16 pixels has as
    /// many in its image.
    pub full: Value,
}

/// What training adds so that the second decoder does not rely on details.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// Standard deviation of normal noise on the second decoder's features, as a part of the range of the
    /// batch's features.
    pub features: f32,
    /// Probability with which elements of what tokens take from the image are dropped.
    pub dropout: f32,
}

/// Which logits a network predicts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prediction {
    /// The mean of both decoders', the first's resized (H-SAM's test with `stage` 3).
    #[default]
    Mean,
    /// The second decoder's (`stage` 2).
    Second,
}

impl Default for Noise {
    /// H-SAM's.
    fn default() -> Self {
        Self {
            features: 0.2,
            dropout: 0.2,
        }
    }
}

impl Noise {
    /// No noise, as in tests.
    pub const NONE: Self = Self {
        features: 0.0,
        dropout: 0.0,
    };

    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if !(self.features >= 0.0 && self.features.is_finite()) {
            return Err(("features", format!("{} is not 0 or more", self.features)));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let message = format!("{} is not from 0 to below 1", self.dropout);
            return Err(("dropout", message));
        }
        Ok(())
    }
}

impl HsamMasks {
    /// Logits at the second decoder's size.
    pub fn predict(self, g: &mut Graph, prediction: Prediction) -> Value {
        match prediction {
            Prediction::Second => self.full,
            Prediction::Mean => {
                let [_, height, width, _] = g.dims(self.full);
                let low = g.resize_bilinear(self.low, height, width);
                let sum = g.add(low, self.full);
                g.scale(sum, 0.5)
            }
        }
    }
}

/// Decodes the encoder's `features [batch, grid, grid, dim]` without prompts. Parameters are under
/// `prompt_encoder`, which serves both decoders, `mask_decoder` and `mask_decoder2`.
///
/// The published code also passes the first decoder's masks through attention between classes, and the
/// result through a softmax over one channel. That is 1, so the features are doubled and nothing else
/// becomes of this attention; its parameters are not parameters here.
pub fn decode_twice(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    noise: &Noise,
    features: Value,
) -> HsamMasks {
    let [batch, grid, _, dim] = g.dims(features);
    let fault = config.check(dim).and_then(|()| noise.check());
    let fault = fault.and_then(|()| match dim.is_multiple_of(16) {
        true => Ok(()),
        // Upscaling ends at a sixteenth.
        false => Err(("features", format!("{dim} channels do not split into 16"))),
    });
    if let Err((field, message)) = fault {
        g.fail("mask_decoder2", format!("{field}: {message}"));
        let (low, full) = (features, features);
        return HsamMasks { low, full };
    }
    let (first, pixels) = decode_classes(g, config, Layers::CrossFirst, features);
    let low = first.logits;
    let classes = g.resize_bilinear(low, grid, grid);
    let classes = g.reshape(classes, &[batch, grid * grid, config.classes]);
    let classes = g.softmax(classes);
    let layers = Layers::Modulated {
        mask: g.transpose(classes),
        dropout: noise.dropout,
    };
    let features = with_noise(g, features, noise.features);
    let full = decode_again(g, config, layers, features, pixels);
    HsamMasks { low, full }
}

/// `x + factor·(max x − min x)·N(0, 1)`, the range being that of all elements.
pub(super) fn with_noise(g: &mut Graph, x: Value, factor: f32) -> Value {
    if factor <= 0.0 {
        return x;
    }
    let shape = g.shape(x).to_vec();
    let axes: Vec<usize> = (0..shape.len()).collect();
    let largest = g.max(x, &axes);
    let negative = g.neg(x);
    let least = g.max(negative, &axes);
    let range = g.add(largest, least);
    let deviation = g.scale(range, factor);
    let noise = g.normal_noise(&shape);
    let noise = g.mul(noise, deviation);
    g.add(x, noise)
}

/// The second decoder, given the first's pixels `[batch, 4·grid, 4·grid, dim/8]`.
fn decode_again(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    layers: Layers,
    features: Value,
    pixels: Value,
) -> Value {
    let [batch, grid, _, dim] = g.dims(features);
    let positions = dense_positions(g, grid, dim);
    let none = encode_prompts(g, &Default::default(), 1, dim);
    let image = g.reshape(features, &[batch, grid * grid, dim]);
    let image = g.add(image, none.dense);
    let image = g.scale(image, 2.0);
    g.within("mask_decoder2", |g| {
        let classes = config.classes;
        let tokens = g.param("mask_tokens.weight", &[classes, dim], Init::Normal(1.0));
        let tokens = g.broadcast(tokens, &[batch, classes, dim]);
        let (tokens, image) = g.within("transformer2", |g| {
            two_way_transformer(g, config, layers, tokens, image, positions)
        });
        let image = g.reshape(image, &[batch, grid, grid, dim]);
        let own = upscale(g, image);
        let both = g.concat(&[own, pixels], 3);
        let pixels = upscale_again(g, both);
        let mut widths = [dim; LAYERS];
        widths[LAYERS - 1] = dim / 16;
        let vectors = hypernetworks(g, "output_hypernetworks_mlps2", tokens, &widths);
        products(g, pixels, vectors)
    })
}

/// Two transposed convolutions over both decoders' pixels: four times the extent, a quarter of the
/// channels.
fn upscale_again(g: &mut Graph, pixels: Value) -> Value {
    let [_, _, _, width] = g.dims(pixels);
    g.within("skip_connect", |g| {
        let y = conv_transpose2x2(g, "0", pixels, width / 2, true);
        let y = layer_norm(g, "1", y, EPS);
        let y = g.gelu(y);
        let y = conv_transpose2x2(g, "3", y, width / 4, true);
        let y = layer_norm(g, "4", y, EPS);
        g.gelu(y)
    })
}
