//! The networks on a device.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use samora_engine::models::sam::{self, Masks};
use samora_engine::weights::{Decoder, Import, Weights, fit};
use samora_engine::{DType, Graph, Tensor, Value, plan};
use samora_engine::{Device, Program};

use super::frame::Frame;
use super::{Image, Model, Prompts};
use crate::data::slice::Plane;
use crate::error::{Error, Result};

/// Reads weight files and says which model they are for: the one named, else the one that the first file's tensors
/// are of, for images of `size_px` or the size it was published for.
///
/// # Errors
/// A file that cannot be read, or a model that is unknown.
pub fn import(
    paths: &[PathBuf],
    name: Option<&str>,
    size_px: Option<usize>,
) -> Result<(Vec<Import>, Model)> {
    // A wrong name is found before a large file is read.
    let named = name.map(Model::named).transpose()?;
    let read = |path: &PathBuf| Import::read(path, Decoder::Prompted);
    let imports: Vec<Import> = paths.iter().map(read).collect::<Result<_, _>>()?;
    let model = match (named, imports.first()) {
        (Some(model), _) => model,
        (None, Some(Import { report, .. })) => {
            Model::of_architecture(&report.architecture, &report.file)?
        }
        (None, None) => return Err(Error::Usage("give --weights".into())),
    };
    Ok((imports, model.sized(size_px)?))
}

/// The neck's output among an encoder's features.
pub const IMAGE_EMBED: &str = "image_embed";

/// An image encoder.
#[derive(Debug)]
pub struct Embedder<'d> {
    program: Program<'d>,
    /// Outputs by name.
    features: Vec<(&'static str, Value)>,
    model: Model,
}

impl<'d> Embedder<'d> {
    /// Builds the encoder of `model`. Other tensors of the file are not looked at.
    ///
    /// # Errors
    /// Weights that are missing or of another configuration, or a device that fails.
    pub fn new(
        device: &'d Device,
        fuse: bool,
        model: Model,
        mut imports: Vec<Import>,
    ) -> Result<Self> {
        let mut g = Graph::new();
        let image = image(&mut g, &model);
        let features = model.embed(&mut g, image).into_iter();
        let features = features.map(|(name, value)| (name, g.permute(value, &[0, 3, 1, 2])));
        let features: Vec<_> = features.collect();
        let used: BTreeSet<&str> = g.params().map(|source| source.name.as_str()).collect();
        for import in &mut imports {
            let tensors = &mut import.weights.tensors;
            tensors.retain(|name, _| used.contains(name.as_str()));
        }
        let wanted: Vec<Value> = features.iter().map(|(_, value)| *value).collect();
        Ok(Self {
            program: program(device, fuse, &g, &wanted, imports)?,
            features,
            model,
        })
    }

    /// All that the mask decoder sees of an image, by name: `image_embed [1, out_channels, grid, grid]`, and of SAM 2
    /// `high_res_feats.0 [1, out_channels/8, 4·grid, 4·grid]` and `.1 [1, out_channels/4, 2·grid, 2·grid]`.
    ///
    /// # Errors
    /// A prepared image of another size, or a device that fails.
    pub fn embed(&mut self, image: &Image) -> Result<BTreeMap<String, Tensor>> {
        let (_, input) = self.model.input(image)?;
        self.program.step(&[("image", &input)])?;
        let read =
            |(name, value): &(&str, Value)| Ok((name.to_string(), self.program.read(*value)?));
        self.features.iter().map(read).collect()
    }
}

/// What SAM makes of an image and prompts.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// The mask, in the image's size.
    pub mask: Plane<bool>,
    /// Which of all masks it is.
    pub chosen: usize,
    /// How well SAM thinks each of its masks fits, as intersection over union.
    pub predicted_ious: Vec<f32>,
    /// Logits of all its masks, `[masks, 4·grid, 4·grid]`, of which those above 0 make a mask.
    pub logits: Tensor,
}

/// Image encoder, prompt encoder and mask decoder, for prompts of one form: a number of points, with a
/// rectangle or without.
#[derive(Debug)]
pub struct Segmenter<'d> {
    program: Program<'d>,
    masks: Masks,
    /// Whether the prompts may mean several things.
    is_ambiguous: bool,
    model: Model,
}

impl<'d> Segmenter<'d> {
    /// Builds the network for prompts of the form of `like`.
    ///
    /// # Errors
    /// Weights that are missing or of another configuration, or a device that fails.
    pub fn new(
        device: &'d Device,
        fuse: bool,
        model: Model,
        imports: Vec<Import>,
        like: &Prompts,
    ) -> Result<Self> {
        let mut g = Graph::new();
        let image = image(&mut g, &model);
        let prompts = inputs(&mut g, like);
        let masks = model.segment(&mut g, image, &prompts);
        let wanted = [masks.logits, masks.quality];
        Ok(Self {
            program: program(device, fuse, &g, &wanted, imports)?,
            masks,
            is_ambiguous: like.is_ambiguous() && model.offers_several_masks(),
            model,
        })
    }

    /// Segments what the prompts mean in an image. A single click gets the best of SAM's three masks for ambiguous
    /// prompts, all else its one mask for clear ones, or with SAM 2 another if that one is not stable.
    ///
    /// # Errors
    /// Prompts outside the image or of another form than the network's, a prepared image of another size, or a device
    /// that fails.
    pub fn segment(&mut self, image: &Image, prompts: &Prompts) -> Result<Segmentation> {
        prompts.check(image.size())?;
        let (frame, input) = self.model.input(image)?;
        let mut feeds = feeds(prompts, &frame);
        feeds.push(("image", input));
        let feeds: Vec<(&str, &Tensor)> = feeds.iter().map(|(name, t)| (*name, t)).collect();
        self.program.step(&feeds)?;
        let logits = self.program.read(self.masks.logits)?;
        let quality = self.program.read(self.masks.quality)?;
        let (extent, count) = (logits.shape[1], quality.len());
        let plane = |mask: usize| {
            Plane::from_fn(extent, extent, |row, column| {
                logits.as_f32()[(row * extent + column) * count + mask]
            })
        };
        let ious = quality.as_f32().to_vec();
        let chosen = match self.is_ambiguous {
            true => (1..count).max_by(|a, b| ious[*a].total_cmp(&ious[*b])),
            false => Some(self.model.clear_mask(&logits, &quality)),
        };
        let chosen = chosen.unwrap_or(0);
        let planes = (0..count).flat_map(|mask| plane(mask).pixels);
        Ok(Segmentation {
            mask: frame.mask(&plane(chosen)),
            chosen,
            predicted_ious: ious,
            logits: Tensor::f32(&[count, extent, extent], planes.collect()),
        })
    }
}

fn image(g: &mut Graph, model: &Model) -> Value {
    let size = model.image_size_px();
    g.input("image", &[1, size, size, 3], DType::F32)
}

/// Inputs for prompts of the form of `like`.
fn inputs(g: &mut Graph, like: &Prompts) -> sam::Prompts {
    let count = like.points.len();
    let points = (count > 0).then(|| {
        let places = g.input("points", &[1, count, 2], DType::F32);
        (places, g.input("labels", &[1, count], DType::F32))
    });
    let boxes = like.rectangle.map(|_| g.input("box", &[1, 4], DType::F32));
    sam::Prompts {
        points,
        boxes,
        mask: None,
    }
}

/// What goes into these inputs.
fn feeds(prompts: &Prompts, frame: &Frame) -> Vec<(&'static str, Tensor)> {
    let mut feeds = Vec::new();
    let count = prompts.points.len();
    if count > 0 {
        let points = prompts.points.iter();
        let places = points.clone().flat_map(|p| frame.place(p.x, p.y)).collect();
        let labels = points
            .map(|p| f32::from(u8::from(p.is_on_object)))
            .collect();
        feeds.push(("points", Tensor::f32(&[1, count, 2], places)));
        feeds.push(("labels", Tensor::f32(&[1, count], labels)));
    }
    if let Some(r) = prompts.rectangle {
        let corners = [frame.place(r.x0, r.y0), frame.place(r.x1, r.y1)].concat();
        feeds.push(("box", Tensor::f32(&[1, 4], corners)));
    }
    feeds
}

/// The graph on the device with the files' weights; every parameter must be in one of them.
fn program<'d>(
    device: &'d Device,
    fuse: bool,
    graph: &Graph,
    wanted: &[Value],
    imports: Vec<Import>,
) -> Result<Program<'d>> {
    let planned = plan(graph, wanted, device.planning(fuse))?;
    let (weights, reports) = fit(imports, graph, &Weights::default())?;
    for report in reports {
        if let Some(first) = report.missing.first() {
            let message = format!(
                "lacks {} tensors the network needs, {first} first; is it for another model? \
                 `runner inspect` shows what it holds",
                report.missing.len()
            );
            let path = report.file;
            return Err(samora_engine::Error::File { path, message }.into());
        }
        eprintln!("weights: {report}");
    }
    Ok(Program::new(device, graph, planned, &weights.tensors)?)
}
