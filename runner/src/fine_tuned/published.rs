//! Fine-tuned networks as SAMed, H-SAM and SAMora publish them: SAM's weights in one file, what was trained on them in
//! another.

use std::collections::BTreeMap;
use std::path::PathBuf;

use samora_engine::nn::{HlAttn, HlAttnMode, Level};
use samora_engine::weights::{self, Import, MaskHeads};

use super::{BATCH, FineTuned, Trained, measured, tuned};
use crate::data::formats::Arrays;
use crate::data::source::{Axis, Intensity, Labelled, Source, Split};
use crate::error::{Error, Result};
use crate::pipeline::{Adapter, Decoder, Pipeline, WeightFiles, load_without_data};
use crate::prompted::Model;
use crate::stage::published_weights;

/// What the files of a published network do not say.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The files, each adding to those before it.
    pub weights: Vec<PathBuf>,
    /// The encoder, if its file does not tell: a preset's name, or RON.
    pub model: Option<String>,
    /// A pipeline that says what the rest leaves open.
    pub pipeline: Option<PathBuf>,
    /// Height and width in pixels of the images it was trained on.
    pub size_px: Option<usize>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// How intensities are scaled; pictures need none.
    pub intensity: Option<Intensity>,
}

impl FineTuned {
    /// A published network. What `given` leaves open is asked for.
    ///
    /// # Errors
    /// Files that cannot be read or hold no trained mask decoder, or something that must be given.
    pub fn published(given: &Published) -> Result<Self> {
        // The tokens of SAM's own masks are those of no classes.
        let decoder = weights::Decoder::PromptFree(MaskHeads::Fresh);
        let read = |path: &PathBuf| Import::read(path, decoder);
        let imports: Vec<Import> = given.weights.iter().map(read).collect::<Result<_, _>>()?;
        let tensors = Tensors(&imports);
        let Some([tokens, _]) = tensors.shape("mask_decoder.mask_tokens.weight") else {
            let message = format!(
                "{}: no file holds a mask decoder that was trained without prompts; add the one that does, such as \
                 SAMed's epoch_159.pth beside sam_vit_b_01ec64.pth, or give a --box or --point to SAM's own",
                listed(&given.weights)
            );
            return Err(Error::Usage(message));
        };
        let count = tokens - 1;
        let base = match &given.pipeline {
            Some(path) => load_without_data(path, &[])?,
            None => given.pipeline(&imports)?,
        };
        let source = given.source(&base)?;
        let classes = given.class_names(&source, count);
        if classes.len() != count {
            let message = format!(
                "the weights are for {count} classes beside the background, not the {} of {}",
                classes.len(),
                classes.join(", ")
            );
            return Err(Error::Usage(message));
        }
        let (batch, quirks) = match tuned(&base) {
            Some(stage) => measured(&base, stage),
            None => (BATCH, Vec::new()),
        };
        let mut encoder = match &given.model {
            Some(name) => Model::named(name)?.encoder().clone(),
            None => base.encoder,
        };
        if let Some(size) = given.size_px {
            encoder.set_image_size_px(size);
        }
        encoder
            .check()
            .map_err(|(field, rule)| Error::Usage(format!("{field}: {rule}")))?;
        let pipeline = Pipeline {
            name: "published".into(),
            encoder,
            adapter: tensors.adapter(&base.adapter)?,
            decoder: tensors.decoder(base.decoder),
            weights: Some(WeightFiles(given.weights.clone())),
            ..base
        };
        let weights = published_weights(&pipeline, imports, count)?;
        Ok(Self {
            pipeline,
            source,
            classes,
            files: given.weights.clone(),
            batch,
            quirks,
            weights: Trained::Published(weights),
        })
    }
}

impl Published {
    /// The variant of the files, with nothing to train.
    fn pipeline(&self, imports: &[Import]) -> Result<Pipeline> {
        if self.size_px.is_none() {
            let message = "the weights do not say for which images they are: give --size, such as 512 for SAMed's and \
                           H-SAM's files and 224 for SAMora's, or a pipeline that does";
            return Err(Error::Usage(message.into()));
        }
        let named = self.model.as_deref().map(Model::named).transpose()?;
        let told = imports.iter().find_map(|import| {
            let report = &import.report;
            Model::of_architecture(&report.architecture, &report.file).ok()
        });
        let Some(model) = named.or(told) else {
            let message = format!(
                "{}: no file holds an encoder that is known; add SAM's own file, such as sam_vit_b_01ec64.pth, or \
                 give --model",
                listed(&self.weights)
            );
            return Err(Error::Usage(message));
        };
        Ok(Pipeline::of_network(model.encoder().clone()))
    }

    /// How scans are read: as the pipeline's network is fine-tuned, with the intensities that are given.
    fn source(&self, pipeline: &Pipeline) -> Result<Source> {
        let tuned = tuned(pipeline).and_then(|stage| pipeline.data.get(&stage.data));
        match (tuned.cloned(), self.intensity) {
            (Some(source), None) => Ok(source),
            (Some(source), Some(intensity)) => {
                source.with_intensity(intensity).map_err(Error::Usage)
            }
            (None, Some(intensity)) => Ok(Source::Folder {
                images: PathBuf::new(),
                labels: None,
                names: None,
                classes: Vec::new(),
                label_map: BTreeMap::new(),
                split: Split::default(),
                labelled: Labelled::default(),
                intensity,
                slices: Axis::Axial,
                arrays: Arrays::default(),
            }),
            (None, None) => {
                let message = "the weights do not say how intensities were scaled: give --window, such as 75,400 (−125 \
                               to 275 HU, Synapse), or --percentiles, such as 1,99 for MRI, or a pipeline that does";
                Err(Error::Usage(message.into()))
            }
        }
    }

    /// Names of the classes: those given, else the data set's, else their numbers.
    fn class_names(&self, source: &Source, count: usize) -> Vec<String> {
        let of_data = source.classes();
        match (self.classes.is_empty(), of_data.is_empty()) {
            (false, _) => self.classes.clone(),
            (true, false) => of_data,
            (true, true) => (1..=count).map(|class| format!("class {class}")).collect(),
        }
    }
}

/// Tensors of several files under the engine's names.
struct Tensors<'a>(&'a [Import]);

impl Tensors<'_> {
    fn names(&self) -> impl Iterator<Item = &String> {
        self.0
            .iter()
            .flat_map(|import| import.weights.tensors.keys())
    }

    fn any(&self, part: &str) -> bool {
        self.names().any(|name| name.contains(part))
    }

    fn shape(&self, name: &str) -> Option<[usize; 2]> {
        let found = self
            .0
            .iter()
            .rev()
            .find_map(|import| import.weights.tensors.get(name))?;
        found.shape.as_slice().try_into().ok()
    }

    /// What the encoder carries, by the names of the updates; the order of fusion that no file says is `given`'s.
    ///
    /// # Errors
    /// An order without one of the levels.
    fn adapter(&self, given: &Adapter) -> Result<Adapter> {
        let name = self
            .names()
            .find(|name| name.ends_with("linear_a_q.weight"));
        let Some([rank, _]) = name.and_then(|name| self.shape(name)) else {
            return Ok(Adapter::Nothing {});
        };
        Ok(match (self.any(".experts."), self.any(".fuser.")) {
            (false, _) => Adapter::Lora { rank },
            (true, false) => Adapter::SummedExperts { rank },
            (true, true) => Adapter::Experts {
                rank,
                hl_attn: match self.any(".fuser.final_norm.") {
                    true => HlAttnMode::Released,
                    false => HlAttnMode::ZeroStart,
                },
                order: self.order(given)?,
            },
        })
    }

    /// The order in which levels are fused.
    fn order(&self, given: &Adapter) -> Result<[Level; 3]> {
        let said = self.0.iter().rev().find_map(|import| {
            let names = import.weights.metadata.get("fusion_order")?;
            Some((names, &import.report.file))
        });
        let default = match *given {
            Adapter::Experts { order, .. } => order,
            _ => HlAttn::default().order,
        };
        said.map_or(Ok(default), |(names, file)| {
            fusion_order(names).ok_or_else(|| {
                let levels = Level::ALL.map(Level::name).join(", ");
                Error::Usage(format!(
                    "{file}: fuses {names}; only networks that fuse each of {levels} once are known"
                ))
            })
        })
    }

    /// H-SAM's two decoders predict as `given` says, if it has them.
    fn decoder(&self, given: Decoder) -> Decoder {
        match (self.any("mask_decoder2."), given) {
            (true, Decoder::HSam { .. }) => given,
            (true, Decoder::Sam {}) => Decoder::hsam(),
            (false, _) => Decoder::default(),
        }
    }
}

/// Levels by their names with commas between.
fn fusion_order(names: &str) -> Option<[Level; 3]> {
    let level = |name: &str| Level::ALL.into_iter().find(|level| level.name() == name);
    let levels: Option<Vec<Level>> = names.split(',').map(level).collect();
    let order = levels?.try_into().ok()?;
    let fused = HlAttn {
        order,
        ..HlAttn::default()
    };
    fused.check().is_ok().then_some(order)
}

fn listed(files: &[PathBuf]) -> String {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(", ")
}
