//! Which network a weight file is for.

use samora_engine::models::sam::{self, Adapter, MaskDecoderConfig, Masks, SamConfig};
use samora_engine::models::sam2::{self, Sam2Config};
use samora_engine::models::tiny_vit::{Stem, TinyVitConfig};
use samora_engine::{Graph, Tensor, Value};

use super::frame::{Frame, Intensities};
use super::{IMAGE_EMBED, Image};
use crate::error::{Error, Result};
use crate::pipeline::{Encoder, read_part};

type Preset = (&'static str, fn() -> Encoder);

/// Published networks at the image size they were published for.
const PRESETS: [Preset; 9] = [
    ("sam_vit_b", || Encoder::Sam(SamConfig::vit_b(1024))),
    ("sam_vit_l", || Encoder::Sam(SamConfig::vit_l(1024))),
    ("sam_vit_h", || Encoder::Sam(SamConfig::vit_h(1024))),
    ("mobile_sam", || {
        Encoder::TinyVit(TinyVitConfig::mobile_sam(1024))
    }),
    ("lite_medsam", || {
        Encoder::TinyVit(TinyVitConfig::lite_medsam(256))
    }),
    ("sam2_hiera_tiny", || Encoder::Sam2(Sam2Config::tiny(1024))),
    ("sam2_hiera_small", || {
        Encoder::Sam2(Sam2Config::small(1024))
    }),
    ("sam2_hiera_base_plus", || {
        Encoder::Sam2(Sam2Config::base_plus(1024))
    }),
    ("sam2_hiera_large", || {
        Encoder::Sam2(Sam2Config::large(1024))
    }),
];

/// A network with SAM's interfaces: its image encoder; prompt encoder and mask decoder are SAM's, or SAM 2's for its
/// encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    encoder: Encoder,
}

impl Model {
    /// The model a user names: a preset, or an encoder as pipelines describe it, in a RON file or
    /// written out.
    ///
    /// # Errors
    /// A name that is neither, or a description with a mistake.
    pub fn named(name: &str) -> Result<Self> {
        if let Some(model) = Self::preset(name) {
            return Ok(model);
        }
        if !name.ends_with(".ron") && !name.contains('(') {
            return Err(Error::Usage(format!(
                "there is no model `{name}`; {}",
                choices()
            )));
        }
        let encoder: Encoder = read_part(name)?;
        let fault = |(field, rule)| Error::Usage(format!("--model: {field}: {rule}"));
        encoder.check().map_err(fault)?;
        Ok(Self { encoder })
    }

    /// The model of weights whose architecture is known ([`WeightFile::architecture`]).
    ///
    /// # Errors
    /// [`Error::Usage`] where it is not.
    ///
    /// [`WeightFile::architecture`]: samora_engine::weights::WeightFile::architecture
    pub fn of_architecture(architecture: &str, file: &str) -> Result<Self> {
        // Hugging Face's files are of the same networks.
        let name = architecture.strip_prefix("hf_").unwrap_or(architecture);
        Self::preset(name).ok_or_else(|| {
            Error::Usage(format!(
                "{file}: cannot tell which model it is for (it looks like `{architecture}`); give \
                 --model: {}",
                choices()
            ))
        })
    }

    /// Its image encoder.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Height and width of the encoder's input in pixels.
    pub fn image_size_px(&self) -> usize {
        self.encoder.image_size_px()
    }

    /// The same network for images of another size.
    ///
    /// # Errors
    /// A size that the network cannot take.
    pub fn sized(mut self, size_px: Option<usize>) -> Result<Self> {
        if let Some(size) = size_px {
            self.encoder.set_image_size_px(size);
        }
        let fault = |(field, rule)| Error::Usage(format!("{field}: {rule}"));
        self.encoder.check().map_err(fault)?;
        Ok(self)
    }

    /// Whether a single click gets the best of three masks, as in SAM; LiteMedSAM is trained for one.
    pub(super) fn offers_several_masks(&self) -> bool {
        self.intensities() != Intensities::UnitRange
    }

    /// The image in the encoder's square, and the encoder's input `[1, size, size, 3]`.
    ///
    /// # Errors
    /// A prepared image of another size.
    pub(super) fn input(&self, image: &Image) -> Result<(Frame, Tensor)> {
        let size = self.image_size_px();
        let frame = match self.encoder {
            Encoder::Sam2(_) => Frame::stretched(image.size(), size),
            Encoder::Sam(_) | Encoder::TinyVit(_) => Frame::new(image.size(), size),
        };
        let input = match image {
            Image::Picture(picture) => frame.input(picture, self.intensities()),
            Image::Prepared(planes) if planes.shape == [1, 3, size, size] => {
                let value = |i: usize| planes.as_f32()[i % 3 * size * size + i / 3];
                let interleaved = (0..3 * size * size).map(value).collect();
                Tensor::f32(&[1, size, size, 3], interleaved)
            }
            Image::Prepared(planes) => {
                let message = format!(
                    "the encoder takes 1×3×{size}×{size}, not {:?}",
                    planes.shape
                );
                return Err(Error::Usage(message));
            }
        };
        Ok((frame, input))
    }

    /// The mask that answers clear prompts: SAM's first, SAM 2's by the stability of that. `logits` are
    /// `[rows, columns, masks]`.
    pub(super) fn clear_mask(&self, logits: &Tensor, quality: &Tensor) -> usize {
        match self.encoder {
            Encoder::Sam2(_) => sam2::clear_mask(logits, quality),
            Encoder::Sam(_) | Encoder::TinyVit(_) => 0,
        }
    }

    /// What the encoder expects of intensities.
    fn intensities(&self) -> Intensities {
        match &self.encoder {
            Encoder::TinyVit(config) if config.stem == Stem::Pointwise => Intensities::UnitRange,
            Encoder::Sam(_) | Encoder::TinyVit(_) => Intensities::Standardised,
            Encoder::Sam2(_) => Intensities::Unrounded,
        }
    }

    /// Appends the encoder: what the mask decoder takes of `image`, by name, `[batch, rows, columns, channels]`.
    pub(super) fn embed(&self, g: &mut Graph, image: Value) -> Vec<(&'static str, Value)> {
        let encoded = self.encoder.encode(g, &Adapter::None, image);
        match encoded.embedding(g) {
            None => vec![(IMAGE_EMBED, encoded.features)],
            Some(sam2::Embedding { image, fine }) => {
                let [eighth, quarter] = fine;
                let fine = [("high_res_feats.0", quarter), ("high_res_feats.1", eighth)];
                [&[(IMAGE_EMBED, image)], &fine[..]].concat()
            }
        }
    }

    /// Appends encoder, prompt encoder and mask decoder.
    pub(super) fn segment(&self, g: &mut Graph, image: Value, prompts: &sam::Prompts) -> Masks {
        let (decoder, size) = (MaskDecoderConfig::sam(), self.image_size_px());
        let encoded = self.encoder.encode(g, &Adapter::None, image);
        match encoded.embedding(g) {
            None => sam::decode_prompted(g, &decoder, encoded.features, size, prompts),
            Some(embedding) => sam2::decode_prompted(g, &decoder, &embedding, size, prompts).masks,
        }
    }

    fn preset(name: &str) -> Option<Self> {
        let found = PRESETS.iter().find(|(known, _)| *known == name);
        found.map(|(_, encoder)| Self { encoder: encoder() })
    }
}

fn choices() -> String {
    let names = PRESETS.map(|(name, _)| name).join(", ");
    format!(
        "{names}, or an encoder as in a pipeline, such as Sam(image_size_px: 512, …), in a .ron \
         file or written out"
    )
}
