//! Layouts of published checkpoints: how their names map to this engine's. Each is a table in this
//! folder, one rule a line:
//!
//! ```text
//! FROM TO        a name that matches FROM is called TO here; the first rule that matches applies
//! FROM -         a name that matches FROM is left out
//! FROM A.#.B     the rows of a tensor whose name matches FROM are each called A.ROW.B here
//! is NAME        a file with a name like this has this layout
//! needs NAME     a network's parameter like this must be in the file …
//! may NAME       … unless it is like this
//! ```
//!
//! Names are patterns; see [`pattern`].

mod pattern;

use std::collections::BTreeMap;

use pattern::{filled, matched};

use super::contents::Entry;

/// Published layouts, the most specific first.
const TABLES: [(&str, &str); 10] = [
    ("samora", include_str!("samora.txt")),
    ("hsam", include_str!("hsam.txt")),
    ("samed_lora", include_str!("samed_lora.txt")),
    ("hf_sam", include_str!("hf_sam.txt")),
    ("hf_sam2", include_str!("hf_sam2.txt")),
    ("mobile_sam", include_str!("mobile_sam.txt")),
    ("sam", include_str!("sam.txt")),
    ("sam2", include_str!("sam2.txt")),
    ("simclr_v2", include_str!("simclr_v2.txt")),
    ("mae_vit", include_str!("mae_vit.txt")),
];
const MASK_HEADS: &str = include_str!("mask_heads.txt");
const PROMPTS: &str = include_str!("prompts.txt");

/// Stands for the number of a row in a name.
pub(super) const ROW: &str = "#";

/// What a rule makes of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The engine's name.
    Named(String),
    /// The engine's name of each row, whose number takes the place of [`ROW`].
    Rows(String),
    /// Left out by a rule.
    Skipped,
    /// No rule matches.
    Unknown,
}

/// A layout that checkpoints are published in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    name: &'static str,
    table: &'static str,
}

impl Layout {
    /// Names kept as they are, for files of no published layout.
    pub(super) const UNKNOWN: Self = Self {
        name: "unknown",
        table: "** **",
    };

    /// SAMed's file of low-rank updates.
    pub(super) const SAMED_LORA: Self = Self {
        name: "samed_lora",
        table: include_str!("samed_lora.txt"),
    };

    /// The layout of a file with these names.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let layouts = TABLES.map(|(name, table)| Self { name, table });
        let is = |layout: &Self| {
            let mut marks = layout.directives("is");
            marks.any(|mark| names.clone().any(|name| matched(mark, name).is_some()))
        };
        layouts.into_iter().find(is).unwrap_or(Self::UNKNOWN)
    }

    /// Whether it is a whole SAM with its own mask decoder.
    pub(super) fn is_sam(self) -> bool {
        let names = ["sam", "hf_sam", "mobile_sam", "sam2", "hf_sam2"];
        names.contains(&self.name)
    }

    /// What becomes of a name of the file.
    pub(super) fn import(self, name: &str) -> Verdict {
        verdict(self.table, name)
    }

    /// The name in the file of one of the engine's, if a rule gives it another than the engine's.
    pub(super) fn export(self, name: &str) -> Option<String> {
        rules(self.table)
            .filter(|(from, to)| from != to)
            .find_map(|(from, to)| Some(filled(from, &matched(to, name)?)))
    }

    /// Whether a network's parameter must be in a file of this layout.
    pub(super) fn needs(self, name: &str) -> bool {
        let says = |directive| {
            let mut patterns = self.directives(directive);
            patterns.any(|pattern| matched(pattern, name).is_some())
        };
        says("needs") && !says("may")
    }

    fn directives(self, directive: &'static str) -> impl Iterator<Item = &'static str> {
        words(self.table).filter_map(move |(word, rest)| (word == directive).then_some(rest))
    }
}

/// Whether one of SAM's tensors depends on the number of masks.
pub(super) fn depends_on_masks(name: &str) -> bool {
    verdict(MASK_HEADS, name) == Verdict::Skipped
}

/// Whether only prompts use one of SAM's tensors.
pub(super) fn is_for_prompts(name: &str) -> bool {
    verdict(PROMPTS, name) == Verdict::Skipped
}

/// Which network a file is of: the layout, and for ViTs and SAM 2 the size, such as `sam_vit_b`; LiteMedSAM, in
/// MobileSAM's layout, has its own name. `unknown` for files of no published layout.
pub(super) fn architecture(
    layout: Layout,
    entries: &BTreeMap<String, Entry>,
    metadata: &BTreeMap<String, String>,
) -> String {
    let (blocks, width) = match layout.name {
        "sam" => ("image_encoder.blocks", "image_encoder.blocks.0.norm1.bias"),
        "hf_sam" => (
            "vision_encoder.layers",
            "vision_encoder.layers.0.layer_norm1.bias",
        ),
        "mae_vit" => ("blocks", "blocks.0.norm1.bias"),
        "mobile_sam" => {
            // LiteMedSAM's first convolution is 1×1, MobileSAM's 3×3.
            let first = entries.get("image_encoder.patch_embed.seq.0.c.weight");
            let is_pointwise = first.is_some_and(|entry| entry.shape.ends_with(&[1, 1]));
            return match is_pointwise {
                true => "lite_medsam".into(),
                false => layout.name.into(),
            };
        }
        "sam2" => return hiera(layout, entries, "image_encoder.trunk"),
        "hf_sam2" => return hiera(layout, entries, "vision_encoder.backbone"),
        "samora" => {
            let declared = metadata.get("state_dict_type");
            if let Some(stage) = declared.filter(|stage| stage.starts_with("samora_stage")) {
                return stage.clone();
            }
            let fuses = |name: &String| {
                ["mask_decoder.", ".fuser.", ".hl_attn."]
                    .iter()
                    .any(|part| name.contains(part))
            };
            let stage = if entries.keys().any(fuses) { 2 } else { 1 };
            return format!("samora_stage{stage}");
        }
        name => return name.into(),
    };
    let name = layout.name.trim_end_matches("_vit");
    let width = entries.get(width).map_or(0, Entry::len);
    let depth = depth(entries, blocks);
    match (width, depth) {
        (768, 12) => format!("{name}_vit_b"),
        (1024, 24) => format!("{name}_vit_l"),
        (1280, 32) => format!("{name}_vit_h"),
        _ => format!("{name}_vit"),
    }
}

/// SAM 2 by its trunk's first width, the blocks of its third stage and the extent of its table of positions.
fn hiera(layout: Layout, entries: &BTreeMap<String, Entry>, trunk: &str) -> String {
    let blocks = format!("{trunk}.blocks");
    // The first block of each stage but the first projects its shortcut.
    let projects = |i: &usize| entries.contains_key(&format!("{blocks}.{i}.proj.weight"));
    let first: Vec<usize> = (0..depth(entries, &blocks)).filter(projects).collect();
    let third = match first[..] {
        [_, third, last] => last - third,
        _ => 0,
    };
    let positions = entries.get(&format!("{trunk}.pos_embed"));
    let size = match positions.map(|entry| &entry.shape[..]) {
        Some([1, 96, 7, 7]) if third == 7 => "_tiny",
        Some([1, 96, 7, 7]) if third == 11 => "_small",
        Some([1, 112, 14, 14]) if third == 16 => "_base_plus",
        Some([1, 144, 7, 7]) if third == 36 => "_large",
        _ => "",
    };
    format!("{}_hiera{size}", layout.name)
}

/// How many blocks there are below a name.
fn depth(entries: &BTreeMap<String, Entry>, blocks: &str) -> usize {
    let has = |i: &usize| {
        let prefix = format!("{blocks}.{i}.");
        let mut from = entries.range(prefix.clone()..);
        from.next()
            .is_some_and(|(name, _)| name.starts_with(&prefix))
    };
    (0..).take_while(has).count()
}

fn verdict(table: &'static str, name: &str) -> Verdict {
    let found = rules(table).find_map(|(from, to)| Some((to, matched(from, name)?)));
    match found {
        Some(("-", _)) => Verdict::Skipped,
        Some((to, captures)) => match filled(to, &captures) {
            name if to.contains(ROW) => Verdict::Rows(name),
            name => Verdict::Named(name),
        },
        None => Verdict::Unknown,
    }
}

fn rules(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    words(table).filter(|(first, _)| !matches!(*first, "is" | "needs" | "may"))
}

fn words(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' '))
}

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;
