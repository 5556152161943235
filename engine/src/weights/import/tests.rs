#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use super::*;
use crate::Init;
use crate::models::sam::{Adapter, MaskDecoderConfig, SamConfig, decode_masks, encode};
use crate::weights::{Item, write_torch};

/// A folder of its own for a test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("samora-import-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, weights: &Weights) -> PathBuf {
        let path = self.0.join("w.safetensors");
        weights.write(&path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A small SAM with a prompt-free decoder for 3 classes, on images of this size.
fn network(image_size_px: usize) -> Graph {
    let config = SamConfig {
        dim: 8,
        depth: 2,
        heads: 2,
        window_tokens: 2,
        global_blocks: vec![1],
        out_channels: 8,
        ..SamConfig::tiny(image_size_px)
    };
    let decoder = MaskDecoderConfig {
        classes: 3,
        depth: 1,
        heads: 2,
        mlp_dim: 8,
    };
    let mut g = Graph::new();
    let image = g.input(
        "image",
        &[1, image_size_px, image_size_px, 3],
        crate::DType::F32,
    );
    let features = encode(&mut g, &config, &Adapter::None, image).features;
    decode_masks(&mut g, &decoder, features);
    g.check().unwrap();
    g
}

/// Weights of [`network`], as a checkpoint of 64 pixels would have them.
fn checkpoint() -> Weights {
    Weights::default().draw(&network(64), 1).unwrap()
}

const PROMPT_FREE: Decoder = Decoder::PromptFree(MaskHeads::SameShape);

fn fitted(path: &Path, graph: &Graph) -> Result<(Weights, LoadReport)> {
    fitted_with(path, graph, PROMPT_FREE)
}

fn fitted_with(path: &Path, graph: &Graph, decoder: Decoder) -> Result<(Weights, LoadReport)> {
    let import = Import::read(path, decoder)?;
    let (weights, mut reports) = fit(vec![import], graph, &Weights::default())?;
    Ok((weights, reports.remove(0)))
}

#[test]
fn tables_are_resized_and_what_depends_on_masks_may_start_fresh() {
    let folder = Folder::new("resize");
    let mut given = checkpoint();
    given
        .tensors
        .insert("other".into(), Tensor::full(&[1], 0.0));
    let graph = network(32);
    let fresh = Decoder::PromptFree(MaskHeads::Fresh);
    let (weights, report) = fitted_with(&folder.file(&given), &graph, fresh).unwrap();
    assert_eq!(report.architecture, "sam_vit");
    assert_eq!(
        report.resized,
        [
            "image_encoder.blocks.1.attn.rel_pos_h",
            "image_encoder.blocks.1.attn.rel_pos_w",
            "image_encoder.pos_embed"
        ]
    );
    let positions = resize_positions(&given.tensors["image_encoder.pos_embed"], 4, 4).unwrap();
    assert_eq!(weights.tensors["image_encoder.pos_embed"], positions);
    assert_eq!(report.unexpected, ["other"]);
    let for_masks = |name: &&String| depends_on_masks(name);
    assert_eq!(
        report.skipped.len(),
        given.tensors.keys().filter(for_masks).count()
    );
    assert_eq!(report.missing.len(), report.skipped.len());
    assert_eq!(
        report.taken.len() + report.resized.len() + report.missing.len(),
        graph.params().count()
    );
    let line = report.to_string();
    assert!(
        line.contains("(sam_vit)") && line.contains("3 resized"),
        "{line}"
    );
    assert!(line.ends_with("1 unexpected (other)"), "{line}");
    // SAM's own decoder keeps what depends on its masks.
    let import = Import::read(&folder.file(&given), Decoder::Prompted).unwrap();
    assert_eq!(import.report.skipped, Vec::<String>::new());
}

/// SAM has four masks, the network three classes: their tokens and the qualities' last layer are of other
/// shapes, and the fourth hypernetwork is of no class.
#[test]
fn what_depends_on_masks_starts_from_sam_where_shapes_agree() {
    let folder = Folder::new("heads");
    let mut given = checkpoint();
    let tokens = "mask_decoder.mask_tokens.weight";
    let quality =
        ["weight", "bias"].map(|n| format!("mask_decoder.iou_prediction_head.layers.2.{n}"));
    for (name, shape) in [
        (tokens, &[4, 8][..]),
        (&quality[0], &[4, 8]),
        (&quality[1], &[4]),
        (
            "mask_decoder.output_hypernetworks_mlps.3.layers.0.weight",
            &[8, 8],
        ),
    ] {
        given.tensors.insert(name.into(), Tensor::full(shape, 1.0));
    }
    let path = folder.file(&given);
    let graph = network(64);
    let (weights, report) = fitted(&path, &graph).unwrap();
    assert_eq!(report.unexpected, Vec::<String>::new());
    let mut missing = [tokens, &quality[0], &quality[1]];
    missing.sort_unstable();
    assert_eq!(report.missing, missing);
    assert_eq!(report.skipped.len(), 4);
    for name in [
        "mask_decoder.output_hypernetworks_mlps.2.layers.2.weight",
        "mask_decoder.iou_prediction_head.layers.1.bias",
    ] {
        assert_eq!(weights.tensors[name], given.tensors[name], "{name}");
    }
    // A decoder with prompts has SAM's masks, or another file.
    let error = fitted_with(&path, &graph, Decoder::Prompted).unwrap_err();
    assert!(error.to_string().contains("[4]"), "{error}");
}

#[test]
fn what_only_prompts_use_is_left_out_without_them() {
    let folder = Folder::new("prompts");
    let mut given = checkpoint();
    let names = [
        "point_embeddings.0.weight",
        "not_a_point_embed.weight",
        "mask_downscaling.0.bias",
    ];
    let names = names.map(|name| format!("prompt_encoder.{name}"));
    for name in &names {
        given.tensors.insert(name.clone(), Tensor::full(&[8], 1.0));
    }
    let (_, report) = fitted(&folder.file(&given), &network(64)).unwrap();
    assert_eq!(report.skipped.len(), 3);
    let prompted = Import::read(&folder.file(&given), Decoder::Prompted).unwrap();
    assert!(
        names
            .iter()
            .all(|name| prompted.weights.tensors.contains_key(name))
    );
}

#[test]
fn a_prefix_that_all_names_share_is_left_out() {
    let folder = Folder::new("prefix");
    let given = checkpoint();
    let tensors: BTreeMap<String, Tensor> = given
        .tensors
        .iter()
        .map(|(name, tensor)| (format!("sam.{name}"), tensor.clone()))
        .collect();
    let path = folder.0.join("w.pth");
    write_torch(&path, &Item::Tensors(&tensors)).unwrap();
    let (weights, report) = fitted(&path, &network(64)).unwrap();
    assert_eq!(report.unexpected, Vec::<String>::new());
    let name = "image_encoder.blocks.0.attn.qkv.weight";
    assert_eq!(weights.tensors[name], given.tensors[name]);
}

#[test]
fn a_missing_tensor_is_named_with_its_nearest() {
    let folder = Folder::new("missing");
    let mut given = checkpoint();
    let name = "image_encoder.neck.0.weight";
    let tensor = given.tensors.remove(name).unwrap();
    let other = "image_encoder.neck.O.weight";
    given.tensors.insert(other.into(), tensor);
    let error = fitted(&folder.file(&given), &network(64)).unwrap_err();
    let text = error.to_string();
    for part in [name, other, "w.safetensors", "nearest"] {
        assert!(text.contains(part), "{text}");
    }
    // What a finished stage trained need not be in the file.
    let import = Import::read(&folder.file(&given), PROMPT_FREE).unwrap();
    fit(vec![import], &network(64), &checkpoint()).unwrap();
}

#[test]
fn elements_that_are_no_numbers_are_refused_by_name() {
    let folder = Folder::new("nan");
    let mut given = checkpoint();
    let name = "image_encoder.neck.1.bias";
    let nan = Tensor::f32(&[8], vec![0., 0., f32::NAN, 0., f32::INFINITY, 0., 0., 0.]);
    given.tensors.insert(name.into(), nan);
    let text = fitted(&folder.file(&given), &network(64))
        .unwrap_err()
        .to_string();
    assert!(text.contains(name) && text.contains("2 of 8"), "{text}");
}

#[test]
fn another_shape_is_refused() {
    let folder = Folder::new("shape");
    let mut given = checkpoint();
    let name = "image_encoder.neck.1.bias";
    given.tensors.insert(name.into(), Tensor::full(&[9], 0.0));
    let text = fitted(&folder.file(&given), &network(64))
        .unwrap_err()
        .to_string();
    for part in [name, "[8]", "[9]"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn hugging_faces_two_copies_of_a_table_must_agree() {
    let folder = Folder::new("copies");
    let mut given = Weights::default();
    let copies = [
        "shared_image_embedding.positional_embedding",
        "prompt_encoder.shared_embedding.positional_embedding",
    ];
    for name in copies {
        given
            .tensors
            .insert(name.into(), Tensor::full(&[2, 4], 1.0));
    }
    let qkv = "vision_encoder.layers.0.attn.qkv.weight";
    given.tensors.insert(qkv.into(), Tensor::full(&[3], 0.0));
    let import = Import::read(&folder.file(&given), Decoder::Prompted).unwrap();
    let names: Vec<&String> = import.weights.tensors.keys().collect();
    assert_eq!(
        names,
        [
            "image_encoder.blocks.0.attn.qkv.weight",
            "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
        ]
    );
    given
        .tensors
        .insert(copies[0].into(), Tensor::full(&[2, 4], 2.0));
    let error = Import::read(&folder.file(&given), Decoder::Prompted).unwrap_err();
    assert!(error.to_string().contains("differ"), "{error}");
}

#[test]
fn later_files_win_and_complete_earlier_ones() {
    let folder = Folder::new("several");
    let base = Import::read(&folder.file(&checkpoint()), PROMPT_FREE).unwrap();
    let mut lora = Weights::default();
    lora.tensors
        .insert("w_a_000".into(), Tensor::full(&[2, 8], 1.0));
    let tokens = "mask_decoder.mask_tokens.weight";
    lora.tensors
        .insert(tokens.into(), Tensor::full(&[3, 8], 2.0));
    let lora = Import::read(&folder.file(&lora), PROMPT_FREE).unwrap();
    let mut graph = network(64);
    let name = "image_encoder.blocks.0.attn.qkv.linear_a_q.weight";
    graph.param(name, &[2, 8], Init::Zeros);
    let (weights, reports) = fit(vec![base, lora], &graph, &Weights::default()).unwrap();
    assert_eq!(weights.tensors[name], Tensor::full(&[2, 8], 1.0));
    assert_eq!(weights.tensors[tokens], Tensor::full(&[3, 8], 2.0));
    let architectures: Vec<&str> = reports.iter().map(|r| r.architecture.as_str()).collect();
    assert_eq!(architectures, ["sam_vit", "samed_lora"]);
    assert_eq!(reports[1].taken, [name, tokens]);
    assert!(reports.iter().all(|r| r.missing.is_empty()));
}

#[test]
fn a_published_checkpoint_is_read() {
    let Some(root) = std::env::var_os("SAMORA_DATA") else {
        eprintln!("skipped: SAMORA_DATA does not name the folder with medsam_lite/");
        return;
    };
    let path = Path::new(&root).join("medsam_lite/lite_medsam.pth");
    let file = WeightFile::open(&path).unwrap();
    assert_eq!(file.architecture(), "mobile_sam");
    assert_eq!(file.entries().len(), 435);
    let import = Import::read(&path, Decoder::Prompted).unwrap();
    let kept = import.weights.tensors.len();
    assert_eq!(kept + import.report.skipped.len(), 435);
    // Counters of BatchNorm are integers in the file.
    let weights = Weights::read(&path).unwrap();
    let floats = weights
        .tensors
        .values()
        .filter(|t| t.ty().dtype == crate::DType::F32);
    assert_eq!(floats.count(), 435);
    assert_eq!(weights.non_finite(), Vec::<&str>::new());
}
