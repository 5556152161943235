#![allow(clippy::unwrap_used)]

use super::*;
use crate::weights::Element;

fn entry(shape: &[usize]) -> Entry {
    Entry {
        shape: shape.to_vec(),
        element: Element::F32,
        strides: None,
        bytes: 0..0,
    }
}

fn entries(shapes: &[(&str, &[usize])]) -> BTreeMap<String, Entry> {
    let entry = |(name, shape): &(&str, &[usize])| ((*name).to_string(), entry(shape));
    shapes.iter().map(entry).collect()
}

fn architecture_of(entries: &BTreeMap<String, Entry>) -> String {
    let layout = Layout::of(entries.keys().map(String::as_str));
    architecture(layout, entries, &BTreeMap::new())
}

/// A file with this many blocks of this width.
fn vit(blocks: &str, norm: &str, depth: usize, width: usize) -> BTreeMap<String, Entry> {
    let mut all = BTreeMap::new();
    for i in 0..depth {
        all.insert(format!("{blocks}.{i}.{norm}.bias"), entry(&[width]));
        let qkv = format!("{blocks}.{i}.attn.qkv.weight");
        all.insert(qkv, entry(&[3 * width, width]));
    }
    all
}

#[test]
fn files_are_recognised_by_names_and_shapes() {
    let sam = |depth, width| vit("image_encoder.blocks", "norm1", depth, width);
    let hf = |depth, width| vit("vision_encoder.layers", "layer_norm1", depth, width);
    let mae = |depth, width| vit("blocks", "norm1", depth, width);
    for (entries, expected) in [
        (sam(12, 768), "sam_vit_b"),
        (sam(24, 1024), "sam_vit_l"),
        (sam(32, 1280), "sam_vit_h"),
        (sam(4, 96), "sam_vit"),
        (hf(12, 768), "hf_sam_vit_b"),
        (hf(32, 1280), "hf_sam_vit_h"),
        (mae(12, 768), "mae_vit_b"),
        (mae(24, 1024), "mae_vit_l"),
        (
            entries(&[("image_encoder.patch_embed.seq.0.c.weight", &[32, 3, 3, 3])]),
            "mobile_sam",
        ),
        (
            entries(&[("image_encoder.patch_embed.seq.0.c.weight", &[32, 3, 1, 1])]),
            "lite_medsam",
        ),
        (
            entries(&[("resnet.net.0.0.weight", &[64, 3, 3, 3])]),
            "simclr_v2",
        ),
        (
            entries(&[
                ("w_a_000", &[4, 768]),
                ("mask_decoder.iou_token.weight", &[1, 256]),
            ]),
            "samed_lora",
        ),
        (
            entries(&[
                ("w_a_000", &[5, 768]),
                ("mask_decoder2.transformer2.norm_final_attn.bias", &[256]),
            ]),
            "hsam",
        ),
        (
            entries(&[(
                "image_encoder.blocks.0.samora_adapter.experts.image.linear_a_q.weight",
                &[4, 8],
            )]),
            "samora_stage1",
        ),
        (
            entries(&[(
                "image_encoder.blocks.0.samora_adapter.hl_attn.low_gate",
                &[],
            )]),
            "samora_stage2",
        ),
        (entries(&[("conv.weight", &[1])]), "unknown"),
    ] {
        assert_eq!(architecture_of(&entries), expected);
    }
}

#[test]
fn samed_files_name_q_and_v_of_each_block_in_turn() {
    let lora = Layout::SAMED_LORA;
    let q = "image_encoder.blocks.7.attn.qkv.linear_a_q.weight";
    let v = "image_encoder.blocks.11.attn.qkv.linear_b_v.weight";
    assert_eq!(lora.import("w_a_014"), Verdict::Named(q.into()));
    assert_eq!(lora.import("w_b_023"), Verdict::Named(v.into()));
    assert_eq!(lora.export(q).as_deref(), Some("w_a_014"));
    assert_eq!(lora.export(v).as_deref(), Some("w_b_023"));
    assert_eq!(lora.export("mask_decoder.iou_token.weight"), None);
}

#[test]
fn hugging_face_names_map_onto_the_published_ones() {
    // Hugging Face's name of each kind of tensor, as its conversion script makes them, and SAM's.
    let pairs = include_str!("hf_pairs.tsv")
        .lines()
        .filter_map(|l| l.split_once('\t'));
    let hf = TABLES.into_iter().find(|(name, _)| *name == "hf_sam");
    let (name, table) = hf.unwrap();
    let layout = Layout { name, table };
    let mut count = 0;
    for (ours, theirs) in pairs {
        assert_eq!(
            layout.import(theirs),
            Verdict::Named(ours.into()),
            "{theirs}"
        );
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_rule_carries_its_wildcards_over() {
    for (name, table) in TABLES {
        for (from, to) in rules(table).filter(|(_, to)| *to != "-") {
            let wildcards = |pattern: &str| {
                let plain = pattern
                    .replace("**", "*")
                    .replace("<2i+1>", "<i>")
                    .replace("<2i>", "<i>");
                plain
                    .chars()
                    .filter(|c| matches!(c, '*' | '<'))
                    .collect::<String>()
            };
            assert_eq!(wildcards(from), wildcards(to), "{name}: {from} {to}");
        }
    }
}
