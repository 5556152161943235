//! Which network a weight file is for.

use samora_engine::models::sam::{Adapter, SamConfig};
use samora_engine::models::tiny_vit::{Stem, TinyVitConfig};
use samora_engine::{Graph, Value};

use super::frame::Intensities;
use crate::error::{Error, Result};
use crate::pipeline::{Encoder, read_part};

type Preset = (&'static str, fn() -> Encoder);

/// Published networks at the image size they were published for.
const PRESETS: [Preset; 5] = [
    ("sam_vit_b", || Encoder::Sam(SamConfig::vit_b(1024))),
    ("sam_vit_l", || Encoder::Sam(SamConfig::vit_l(1024))),
    ("sam_vit_h", || Encoder::Sam(SamConfig::vit_h(1024))),
    ("mobile_sam", || {
        Encoder::TinyVit(TinyVitConfig::mobile_sam(1024))
    }),
    ("lite_medsam", || {
        Encoder::TinyVit(TinyVitConfig::lite_medsam(256))
    }),
];

/// A network with SAM's interfaces: its image encoder; prompt encoder and mask decoder are always SAM's.
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

    /// Whether a single click gets the best of three masks, as in SAM; LiteMedSAM is trained for one.
    pub(super) fn offers_several_masks(&self) -> bool {
        self.intensities() == Intensities::Standardised
    }

    /// What the encoder expects of intensities.
    pub(super) fn intensities(&self) -> Intensities {
        match &self.encoder {
            Encoder::TinyVit(config) if config.stem == Stem::Pointwise => Intensities::UnitRange,
            _ => Intensities::Standardised,
        }
    }

    /// Appends the encoder: features `[batch, grid, grid, out_channels]` of `image`.
    pub(super) fn encode(&self, g: &mut Graph, image: Value) -> Value {
        self.encoder.encode(g, &Adapter::None, image).features
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
