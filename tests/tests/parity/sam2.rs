//! SAM 2's image path against Hugging Face's (`sam2.py`), from files with Hugging Face's names.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use samora_engine::models::sam::{Adapter, MaskDecoderConfig, Masks, Prompts};
use samora_engine::models::sam2::{
    Decoded, Embedding, Sam2Config, clear_mask, decode_masks, decode_prompted, embed, encode,
};
use samora_engine::weights::{Decoder, Import, Weights, fit};
use samora_engine::{DType, Graph, Tensor, Value};

use super::{assert_all_fed, assert_close, everywhere, fixture, on_devices};

/// Of features, qualities and scores, as a part of the largest.
const TOLERANCE: f64 = 1e-4;
/// Of logits.
const LOGITS: f64 = 1e-3;

const DECODER: MaskDecoderConfig = MaskDecoderConfig {
    classes: 4,
    depth: 2,
    heads: 2,
    mlp_dim: 24,
};

/// Hiera-T with a twelfth of its channels.
fn tiny(image_size_px: usize) -> Sam2Config {
    Sam2Config {
        dim: 8,
        out_channels: 16,
        ..Sam2Config::tiny(image_size_px)
    }
}

/// Numbers that `sam2.py` computes too.
fn pixels(batch: usize, size: usize) -> Tensor {
    let shape = [batch, size, size, 3];
    let value = |i: usize| {
        let (b, y, x, c) = (
            i / 3 / size / size,
            i / 3 / size % size,
            i / 3 % size,
            i % 3,
        );
        ((3 * y * y + 5 * x * x + 7 * x * y + 31 * c + 17 * b) % 251) as f32 / 251.0 - 0.5
    };
    let count = shape.iter().product();
    Tensor::f32(&shape, (0..count).map(value).collect())
}

/// What is compared: features and, for each prompt, masks, qualities and score.
struct Compared {
    graph: Graph,
    embedding: Embedding,
    decoded: Vec<(&'static str, Masks, Option<Value>)>,
}

impl Compared {
    fn new(config: &Sam2Config, given: &BTreeMap<String, Tensor>) -> Self {
        let size = config.image_size_px;
        let mut g = Graph::new();
        let batch = given["boxes"].shape[0];
        let image = g.input("image", &[batch, size, size, 3], DType::F32);
        let encoded = encode(&mut g, config, &Adapter::None, image);
        let embedding = embed(&mut g, &encoded);
        let mut input = |name: &str| g.input(name, &given[name].shape, DType::F32);
        let points = Some((input("points"), input("labels")));
        let boxes = Some(input("boxes"));
        let mask = given.contains_key("mask").then(|| input("mask"));
        let none = Prompts::default();
        let mut prompts = vec![
            ("point", Prompts { points, ..none }),
            ("box", Prompts { boxes, ..none }),
        ];
        if mask.is_some() {
            let all = Prompts {
                points,
                boxes,
                mask,
            };
            prompts.push(("all", all));
        }
        let masks = decode_masks(&mut g, &DECODER, &embedding);
        let mut decoded = vec![("none", masks, None)];
        for (name, prompts) in prompts {
            let Decoded {
                masks,
                object_score,
            } = decode_prompted(&mut g, &DECODER, &embedding, size, &prompts);
            decoded.push((name, masks, Some(object_score)));
        }
        Self {
            graph: g,
            embedding,
            decoded,
        }
    }

    fn values(&self) -> Vec<Value> {
        let [s1, s0] = self.embedding.fine;
        let masks = self.decoded.iter();
        let masks = masks.flat_map(|(_, m, score)| [m.logits, m.quality].into_iter().chain(*score));
        [self.embedding.image, s1, s0]
            .into_iter()
            .chain(masks)
            .collect()
    }

    /// Compares what was computed of [`Self::values`] with every `step`-th row and column of the features and masks.
    fn check(&self, case: &str, got: &[Tensor], want: &BTreeMap<String, Tensor>, step: usize) {
        let mut got = got.iter();
        let mut next = || got.next().unwrap();
        for name in ["embedding", "s1", "s0"] {
            let label = format!("{case} {name}");
            assert_close(&label, &thinned(next(), step), &want[name], TOLERANCE);
        }
        for (prompt, _, score) in &self.decoded {
            let label = |part: &str| format!("{case} {prompt}.{part}");
            let wanted = |part: &str| &want[&format!("{prompt}.{part}")];
            let (logits, quality) = (next(), next());
            assert_close(
                &label("logits"),
                &thinned(logits, step),
                wanted("logits"),
                LOGITS,
            );
            assert_close(&label("quality"), quality, wanted("quality"), TOLERANCE);
            if score.is_some() {
                let part = "object_score";
                assert_close(&label(part), next(), wanted(part), TOLERANCE);
            }
            let chosen = clear_qualities(logits, quality);
            let part = "clear_quality";
            assert_close(&label(part), &chosen, wanted(part), TOLERANCE);
        }
    }
}

/// The quality of the mask that answers a clear prompt, for each image.
fn clear_qualities(logits: &Tensor, quality: &Tensor) -> Tensor {
    let &[batch, h, w, n] = logits.shape.as_slice() else {
        panic!("{:?} are no masks", logits.shape);
    };
    let of = |t: &Tensor, shape: &[usize], b: usize| {
        let count = shape.iter().product::<usize>();
        Tensor::f32(shape, t.as_f32()[b * count..(b + 1) * count].to_vec())
    };
    let each = (0..batch).map(|b| {
        let quality = of(quality, &[n], b);
        let chosen = clear_mask(&of(logits, &[h, w, n], b), &quality);
        quality.as_f32()[chosen]
    });
    Tensor::f32(&[batch, 1], each.collect())
}

/// Every `step`-th row and column of `[b, h, w, c]`.
fn thinned(t: &Tensor, step: usize) -> Tensor {
    let &[b, h, w, c] = t.shape.as_slice() else {
        panic!("{:?} is no image", t.shape);
    };
    let mut data = Vec::new();
    for row in (0..b * h).filter(|row| row % h % step == 0) {
        for x in (0..w).step_by(step) {
            let at = (row * w + x) * c;
            data.extend_from_slice(&t.as_f32()[at..at + c]);
        }
    }
    Tensor::f32(&[b, h.div_ceil(step), w.div_ceil(step), c], data)
}

/// The file's tensors under the engine's names; the network needs each of them, and no other.
fn weights(name: &str, graph: &Graph) -> BTreeMap<String, Tensor> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let path = folder.join(format!("sam2_{name}.safetensors"));
    let import = Import::read(&path, Decoder::Prompted).unwrap();
    assert_eq!(import.report.architecture, "hf_sam2_hiera");
    let (weights, reports) = fit(vec![import], graph, &Weights::default()).unwrap();
    assert_eq!(reports[0].missing, Vec::<String>::new());
    // Only masks as prompts use these.
    let unused = |n: &String| !n.starts_with("prompt_encoder.mask_downscaling.");
    assert!(!reports[0].unexpected.iter().any(unused));
    weights.tensors
}

fn check(case: &str, file: &str, config: &Sam2Config, step: usize, on_host: bool) {
    let want = fixture("sam2").below(&format!("{case}.")).tensors;
    let compared = Compared::new(config, &want);
    let g = &compared.graph;
    let mut feeds = weights(file, g);
    let batch = want["boxes"].shape[0];
    feeds.insert("image".into(), pixels(batch, config.image_size_px));
    for name in ["points", "labels", "boxes", "mask"] {
        feeds.extend(want.get(name).map(|t| (name.into(), t.clone())));
    }
    assert_all_fed(g, &feeds);
    let values = compared.values();
    let start = Instant::now();
    let all = match on_host {
        true => everywhere(g, &feeds, &values).to_vec(),
        false => on_devices(g, &feeds, &values).to_vec(),
    };
    println!("{case}: planned, loaded and run in {:.1?}", start.elapsed());
    for got in all {
        compared.check(case, &got, &want, step);
    }
}

/// Windows fit into every grid.
#[test]
fn hiera_t_at_224_pixels_agrees() {
    check("tiny_224", "tiny", &tiny(224), 1, true);
}

/// Windows of the third and fourth stages overhang, also where queries are pooled.
#[test]
fn hiera_t_at_512_pixels_agrees() {
    check("tiny_512", "tiny", &tiny(512), 3, false);
}

#[test]
fn hiera_t_at_1024_pixels_agrees() {
    check("tiny_1024", "tiny", &tiny(1024), 7, false);
}

/// Windows are larger than the grids of the third and fourth stages; two images, and masks as prompts.
#[test]
fn windows_larger_than_the_grid_agree() {
    let config = Sam2Config {
        dim: 6,
        heads: 2,
        depths: [1, 2, 3, 2],
        windows_tokens: [8, 4, 16, 8],
        global_blocks: vec![4],
        positions_tokens: 5,
        out_channels: 16,
        ..Sam2Config::tiny(96)
    };
    check("large_96", "large", &config, 1, true);
}
