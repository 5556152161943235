//! Published weights under this engine's names, fitted to a network.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::contents::Entry;
use super::file::WeightFile;
use super::layout::{Layout, ROW, Verdict, architecture, depends_on_masks, is_for_prompts};
use super::named::Weights;
use super::report::LoadReport;
use super::resize::{resize_positions, resize_relative};
use crate::error::file_error;
use crate::{Error, Graph, Result, SourceKind, Tensor};

/// Which mask decoder a SAM checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// SAM's own, with prompts.
    Prompted,
    /// One token per class and no prompts.
    PromptFree(MaskHeads),
}

/// How what depends on the number of masks starts, when SAM's weights start a decoder of classes: mask
/// tokens, hypernetworks and the head that predicts quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MaskHeads {
    /// From SAM where the shapes agree, as the training code of SAMed and H-SAM has it: it first tries to
    /// load all, which copies what fits before it fails.
    #[default]
    SameShape,
    /// At random, as that code's rule says.
    Fresh,
}

/// The tensors of a weight file under this engine's names.
#[derive(Clone, Debug)]
pub struct Import {
    /// Tensors and what the file says about itself.
    pub weights: Weights,
    /// What was read, and, after [`fit`], where it went.
    pub report: LoadReport,
    layout: Layout,
    /// Whether what depends on the number of masks is taken only where its shape is the network's.
    has_other_masks: bool,
}

impl WeightFile {
    /// Which network the file is of, such as `sam_vit_b`, `hf_sam_vit_h`, `mobile_sam`,
    /// `lite_medsam`, `sam2_hiera_tiny`, `mae_vit_l`, `simclr_v2`, `samed_lora` or `samora_stage1`; `unknown` for others.
    pub fn architecture(&self) -> String {
        Recognised::of(self).architecture
    }
}

impl Import {
    /// Reads a weight file of any known layout; names of other files stay as they are.
    ///
    /// # Errors
    /// A file that cannot be read (see [`WeightFile::open`]), with an element that is no number, or with
    /// two different tensors for one parameter.
    pub fn read(path: &Path, decoder: Decoder) -> Result<Self> {
        let file = WeightFile::open(path)?;
        let Recognised {
            layout,
            architecture,
            prefix,
        } = Recognised::of(&file);
        let mut import = Self {
            weights: Weights {
                metadata: file.metadata().clone(),
                ..Weights::default()
            },
            report: LoadReport {
                file: path.display().to_string(),
                architecture,
                ..LoadReport::default()
            },
            layout,
            has_other_masks: layout.is_sam() && decoder != Decoder::Prompted,
        };
        for (full, entry) in file.entries() {
            let (name, by_row) = match layout.import(&full[prefix.len()..]) {
                Verdict::Named(name) => (name, false),
                Verdict::Rows(name) => (name, true),
                Verdict::Unknown => (full.clone(), false),
                Verdict::Skipped => {
                    import.report.skipped.push(full.clone());
                    continue;
                }
            };
            let is_left_out = match decoder {
                Decoder::Prompted => false,
                Decoder::PromptFree(heads) => {
                    let starts_fresh = heads == MaskHeads::Fresh && layout.is_sam();
                    is_for_prompts(&name) || (starts_fresh && depends_on_masks(&name))
                }
            };
            if is_left_out {
                import.report.skipped.push(full.clone());
                continue;
            }
            let tensor = file.read(entry)?;
            refuse_non_finite(path, full, &tensor)?;
            let named = match by_row {
                true => rows(&name, &tensor),
                false => vec![(name, tensor)],
            };
            for (name, tensor) in named {
                let earlier = import.weights.tensors.insert(name.clone(), tensor);
                if earlier.is_some_and(|earlier| earlier != import.weights.tensors[&name]) {
                    let message =
                        format!("{full} and another tensor both stand for {name}, and differ");
                    return Err(file_error(path, &message));
                }
            }
        }
        Ok(import)
    }
}

/// The parameters of `graph` that weight files give, later files first, with a report for each. What
/// `trained` holds is not taken from files and not missing.
///
/// Position tables of another grid are resized as SAMed does (sam_lora_image_encoder.py): `pos_embed`
/// bilinearly, `rel_pos_h` and `rel_pos_w` linearly. What depends on the number of masks is left out of a
/// SAM file where its shape is another.
///
/// # Errors
/// A tensor of another shape than the parameter, or a parameter that is missing from a file whose
/// layout should have it; the message says which names come nearest.
pub fn fit(
    imports: Vec<Import>,
    graph: &Graph,
    trained: &Weights,
) -> Result<(Weights, Vec<LoadReport>)> {
    let mut fitted = Weights::default();
    let mut reports = Vec::new();
    let mut waiting: BTreeMap<&str, &[usize]> = graph
        .params()
        .filter(|source| !trained.tensors.contains_key(&source.name))
        .map(|source| (source.name.as_str(), graph.shape(source.value)))
        .collect();
    let mut needed_by = Vec::new();
    for import in imports.into_iter().rev() {
        let Import {
            weights,
            mut report,
            layout,
            has_other_masks,
        } = import;
        needed_by.push((layout, report.file.clone(), names_of(&weights, &report)));
        for (name, tensor) in weights.tensors {
            let is_optional = has_other_masks && depends_on_masks(&name);
            let shape = match waiting.get(name.as_str()).copied() {
                None if is_known(graph, &name) => continue,
                None if !is_optional => {
                    report.unexpected.push(name);
                    continue;
                }
                Some(shape) if tensor.shape == shape || !is_optional => shape,
                None | Some(_) => {
                    report.skipped.push(name);
                    continue;
                }
            };
            waiting.remove(name.as_str());
            let tensor = match tensor.shape == shape {
                true => {
                    report.taken.push(name.clone());
                    tensor
                }
                false => {
                    let tensor = resized(&report.file, &name, &tensor, shape)?;
                    report.resized.push(name.clone());
                    tensor
                }
            };
            fitted.tensors.insert(name, tensor);
        }
        reports.push(report);
    }
    for name in waiting.into_keys() {
        let need = needed_by.iter().find(|(layout, ..)| layout.needs(name));
        if let Some((_, file, names)) = need {
            return Err(missing(file, name, names, graph));
        }
        if let Some(first) = reports.last_mut() {
            first.missing.push(name.into());
        }
    }
    reports.reverse();
    Ok((fitted, reports))
}

struct Recognised {
    layout: Layout,
    architecture: String,
    /// What all names begin with before those of the layout.
    prefix: String,
}

impl Recognised {
    fn of(file: &WeightFile) -> Self {
        let entries = file.entries();
        let names = || entries.keys().map(String::as_str);
        let layout = Layout::of(names());
        let prefix = shared_prefix(entries);
        // Some training scripts put the model's attribute name before all names.
        if layout == Layout::UNKNOWN && !prefix.is_empty() {
            let inner: BTreeMap<String, Entry> = entries
                .iter()
                .map(|(name, entry)| (name[prefix.len()..].to_string(), entry.clone()))
                .collect();
            let layout = Layout::of(inner.keys().map(String::as_str));
            if layout != Layout::UNKNOWN {
                return Self {
                    layout,
                    architecture: architecture(layout, &inner, file.metadata()),
                    prefix,
                };
            }
        }
        Self {
            layout,
            architecture: architecture(layout, entries, file.metadata()),
            prefix: String::new(),
        }
    }
}

/// The first part of all names, with its dot, if they have it in common.
fn shared_prefix(entries: &BTreeMap<String, Entry>) -> String {
    let first = entries.keys().next().and_then(|name| name.split_once('.'));
    let prefix = first.map_or(String::new(), |(part, _)| format!("{part}."));
    match entries.keys().all(|name| name.starts_with(&prefix)) {
        true => prefix,
        false => String::new(),
    }
}

/// Each row of a tensor `[n, …]` as `[1, …]`, its number in the place of [`ROW`].
fn rows(name: &str, tensor: &Tensor) -> Vec<(String, Tensor)> {
    let mut shape = tensor.shape.clone();
    let count = shape.first_mut().map_or(1, |n| std::mem::replace(n, 1));
    let length = shape.iter().product::<usize>().max(1);
    let row = |(i, row): (usize, &[f32])| {
        let row = Tensor::f32(&shape, row.to_vec());
        (name.replace(ROW, &i.to_string()), row)
    };
    let all = tensor.as_f32().chunks(length).enumerate();
    all.take(count).map(row).collect()
}

fn refuse_non_finite(path: &Path, name: &str, tensor: &Tensor) -> Result<()> {
    let bad = tensor.as_f32().iter().filter(|x| !x.is_finite()).count();
    if bad == 0 {
        return Ok(());
    }
    let message = format!(
        "tensor {name} has {bad} of {} elements that are infinite or not a number; look at the \
         file with `runner inspect`",
        tensor.len()
    );
    Err(file_error(path, &message))
}

/// A constant of the graph, such as a computed position table, or a parameter another file gives.
fn is_known(graph: &Graph, name: &str) -> bool {
    let kinds = |kind: &SourceKind| !matches!(kind, SourceKind::Input);
    graph
        .sources()
        .iter()
        .any(|s| s.name == name && kinds(&s.kind))
}

fn resized(file: &str, name: &str, tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let last = name.rsplit('.').next().unwrap_or(name);
    match (last, tensor.shape.as_slice(), shape) {
        ("pos_embed", &[1, _, _, has], &[1, height, width, c]) if has == c => {
            resize_positions(tensor, height, width)
        }
        ("rel_pos_h" | "rel_pos_w", &[_, has], &[rows, c]) if has == c => {
            resize_relative(tensor, rows)
        }
        _ => Err(Error::Tensor {
            name: name.into(),
            message: format!(
                "the network needs {shape:?}, {file} has {:?}; configure the network as the file \
                 was trained",
                tensor.shape
            ),
        }),
    }
}

/// The names a file can offer: the engine's, and its own where a rule leaves them out.
fn names_of(weights: &Weights, report: &LoadReport) -> Vec<String> {
    weights
        .tensors
        .keys()
        .chain(&report.skipped)
        .cloned()
        .collect()
}

/// Of the file's names, those that stand for no other parameter come into question.
fn missing(file: &str, name: &str, names: &[String], graph: &Graph) -> Error {
    const SHOWN: usize = 3;
    let params: HashSet<&str> = graph.params().map(|source| source.name.as_str()).collect();
    let unused = || {
        names
            .iter()
            .filter(|known| !params.contains(known.as_str()))
    };
    let candidates: Vec<&String> = match unused().next() {
        Some(_) => unused().collect(),
        None => names.iter().collect(),
    };
    let mut near: Vec<(usize, &String)> = candidates
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .collect();
    near.sort();
    let near: Vec<&str> = near
        .iter()
        .take(SHOWN)
        .map(|(_, known)| known.as_str())
        .collect();
    Error::Tensor {
        name: name.into(),
        message: format!(
            "the network needs it, {file} lacks it; the nearest names there are {}",
            near.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests;
