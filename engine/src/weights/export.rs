//! Weights as PyTorch users of SAMed and SAMora know them.

use std::collections::BTreeMap;

use super::layout::Layout;
use super::named::Weights;
use super::pth::Item;
use crate::{Error, Result, Tensor};

const ADAPTER: &str = ".samora_adapter.";
const EXPERTS: &str = ".samora_adapter.experts.";
/// HL-Attn as SAMora's wrapper calls it, and as H-SAMora's does.
const FUSERS: [&str; 2] = [".samora_adapter.fuser.", ".samora_adapter.hl_attn."];

/// SAMed's file: `w_a_000`, `w_b_000`, … for q and v of each block, and the prompt encoder's and mask
/// decoder's tensors under SAM's names. A single expert is written like SAMed's update, its learnt
/// factor multiplied into `w_b`.
///
/// # Errors
/// Weights without updates, or of more than one expert.
pub fn samed_lora(weights: &Weights) -> Result<Weights> {
    one_lora(weights, &["prompt_encoder.", "mask_decoder."])
}

/// H-SAM's file for images of `image_size_px`: as [`samed_lora`], with the second mask decoder's tensors,
/// and everything else that H-SAM's loader asks for. What has no effect there (attention between classes,
/// what only prompts use, predictions of quality) is zero unless the weights have it.
///
/// # Errors
/// As [`samed_lora`]; weights without H-SAM's decoders; an image size that H-SAM's code does not know.
pub fn hsam(weights: &Weights, image_size_px: usize) -> Result<Weights> {
    let prefixes = ["prompt_encoder.", "mask_decoder.", "mask_decoder2."];
    let mut exported = one_lora(weights, &prefixes)?;
    let needs = |name: &str| match exported.tensors.get(name) {
        Some(tensor) => Ok(tensor.shape.clone()),
        None => Err(Error::Tensor {
            name: name.into(),
            message: "an H-SAM file holds it, these weights lack it; convert the checkpoint of a \
                      network with H-SAM's decoder, with what it started from"
                .into(),
        }),
    };
    needs("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix")?;
    needs("prompt_encoder.no_mask_embed.weight")?;
    needs("mask_decoder.mask_tokens.weight")?;
    let tokens = needs("mask_decoder2.mask_tokens.weight")?;
    let unused = unused_by_hsam(&tokens, image_size_px)?;
    for (name, shape) in unused {
        let tensors = exported.tensors.entry(name);
        tensors.or_insert_with(|| Tensor::full(&shape, 0.0));
    }
    let of_prompts = exported.below("prompt_encoder.").tensors.into_iter();
    let again = of_prompts.map(|(name, tensor)| (format!("prompt_encoder2.{name}"), tensor));
    exported.tensors.extend(again);
    Ok(exported)
}

/// The tensors that SAMora's payload keeps: experts with their factors, HL-Attn and mask decoder, and what there is of
/// the prompt encoder, which is in SAM's own file only where the network started from one. With a second mask decoder
/// HL-Attn is called as in H-SAMora's wrapper. See [`samora_payload`] for what stands beside them.
///
/// # Errors
/// Weights without experts.
pub fn samora(weights: &Weights) -> Result<Weights> {
    let keeps = |name: &str| {
        let whole = ["mask_decoder", "prompt_encoder."];
        name.contains(ADAPTER) || whole.iter().any(|prefix| name.starts_with(prefix))
    };
    let is_second = |name: &String| name.starts_with("mask_decoder2.");
    let has_two = weights.tensors.keys().any(is_second);
    let named = |name: &String| match has_two {
        true => name.replace(FUSERS[0], FUSERS[1]),
        false => name.clone(),
    };
    let kept = weights.tensors.iter().filter(|(name, _)| keeps(name));
    let tensors: BTreeMap<String, Tensor> = kept
        .map(|(name, tensor)| (named(name), tensor.clone()))
        .collect();
    if experts(weights).is_empty() {
        return Err(refused(
            "a SAMora payload needs experts; give their checkpoints as well".into(),
        ));
    }
    Ok(Weights {
        tensors,
        metadata: weights.metadata.clone(),
    })
}

/// The payload that SAMora's code saves, around the tensors of [`samora`]: stage 1 for one expert
/// alone, else stage 2.
pub fn samora_payload(weights: &Weights) -> Item<'_> {
    let experts = experts(weights);
    let tensors = &weights.tensors;
    let any = |part: &str| tensors.keys().any(|name| name.contains(part));
    let blocks = (0i32..).take_while(|i| any(&format!(".blocks.{i}{ADAPTER}")));
    let rank = tensors.iter().find(|(name, _)| name.contains(".linear_a_"));
    let rank = rank.and_then(|(_, tensor)| i32::try_from(*tensor.shape.first()?).ok());
    let text = |text: &str| Item::Text(text.into());
    let mut items = Vec::new();
    let mut say = |key: &str, item| items.push((key.to_string(), item));
    let is_fused = FUSERS.into_iter().any(any);
    let is_first_stage = experts.len() == 1 && !any("mask_decoder.") && !is_fused;
    match experts.keys().next() {
        Some(expert) if is_first_stage => {
            say("state_dict_type", text("samora_stage1"));
            say("expert", text(expert));
        }
        _ => {
            say("state_dict_type", text("samora_stage2"));
            say("use_hl_attn", Item::Bool(is_fused));
            let has_prompts = any("prompt_encoder.");
            say("train_prompt_encoder_in_stage2", Item::Bool(has_prompts));
        }
    }
    say("rank", Item::Int(rank.unwrap_or(0)));
    say("lora_layer", Item::List(blocks.map(Item::Int).collect()));
    if let Some(order) = weights.metadata.get("fusion_order") {
        let order = order.split(',').map(text).collect();
        say("fusion_order", Item::List(order));
    }
    say("model", Item::Tensors(tensors));
    Item::Dict(items)
}

/// The one LoRA of `weights` under SAMed's names, and the tensors whose names start like one of `kept`.
fn one_lora(weights: &Weights, kept: &[&str]) -> Result<Weights> {
    let experts = experts(weights);
    if experts.len() > 1 {
        let names = experts.into_keys().collect::<Vec<_>>().join(", ");
        return Err(refused(format!(
            "such a file holds one LoRA, these weights {names}; convert one expert's checkpoint"
        )));
    }
    let mut exported = Weights {
        metadata: weights.metadata.clone(),
        ..Weights::default()
    };
    for (name, tensor) in &weights.tensors {
        if kept.iter().any(|prefix| name.starts_with(prefix)) {
            exported.tensors.insert(name.clone(), tensor.clone());
            continue;
        }
        let (plain, tensor) = match name.split_once(EXPERTS) {
            Some((block, rest)) => {
                let (expert, part) = rest.split_once('.').unwrap_or((rest, ""));
                let factor = weights
                    .tensors
                    .get(&format!("{block}{ADAPTER}{expert}_scale"));
                let factor = match part.starts_with("linear_b_") {
                    true => factor
                        .and_then(|t| t.as_f32().first().copied())
                        .unwrap_or(1.0),
                    false => 1.0,
                };
                let scaled = tensor.as_f32().iter().map(|x| factor * x).collect();
                let scaled = Tensor::f32(&tensor.shape, scaled);
                (format!("{block}.attn.qkv.{part}"), scaled)
            }
            None => (name.clone(), tensor.clone()),
        };
        if let Some(name) = Layout::SAMED_LORA.export(&plain) {
            exported.tensors.insert(name, tensor);
        }
    }
    match exported.tensors.keys().any(|name| name.starts_with("w_a_")) {
        true => Ok(exported),
        false => Err(refused(
            "there is no LoRA of a ViT's blocks in these weights".into(),
        )),
    }
}

/// Names and shapes of what H-SAM's file holds and its network makes no use of, for class tokens of this
/// shape, `[classes, dim]`.
fn unused_by_hsam(tokens: &[usize], image_size_px: usize) -> Result<Vec<(String, Vec<usize>)>> {
    const PATCH: usize = 16;
    const HIDDEN: usize = 2048;
    const POINTS: usize = 11;
    let (&[classes, dim], 224 | 512) = (tokens, image_size_px) else {
        return Err(Error::Tensor {
            name: "mask_decoder2.self_attn.q_proj.weight".into(),
            message: format!(
                "H-SAM's code takes images of 224 or 512 pixels, not of {image_size_px}"
            ),
        });
    };
    let positions = (image_size_px / PATCH).pow(2);
    let mut unused: Vec<(String, Vec<usize>)> = Vec::new();
    let mut add = |name: String, shape: &[usize]| unused.push((name, shape.to_vec()));
    for i in 0..POINTS {
        add(
            format!("prompt_encoder.point_embeddings.{i}.weight"),
            &[1, dim],
        );
    }
    add("prompt_encoder.not_a_point_embed.weight".into(), &[1, dim]);
    // A layer's weight, whose first extent is that of its bias.
    let mut layer = |name: &str, weight: &[usize]| {
        add(format!("{name}.weight"), weight);
        add(format!("{name}.bias"), &weight[..1]);
    };
    for (name, shape) in [
        ("0", &[4, 1, 2, 2][..]),
        ("1", &[4]),
        ("3", &[16, 4, 2, 2]),
        ("4", &[16]),
        ("6", &[dim, 16, 1, 1]),
    ] {
        layer(&format!("prompt_encoder.mask_downscaling.{name}"), shape);
    }
    for decoder in ["mask_decoder", "mask_decoder2"] {
        for (i, out) in [dim, dim, classes].into_iter().enumerate() {
            layer(
                &format!("{decoder}.iou_prediction_head.layers.{i}"),
                &[out, dim],
            );
        }
    }
    layer("mask_decoder2.med_sel.0", &[1, classes]);
    for name in ["self_attn", "self_attn2"] {
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            let shape = [positions, positions];
            layer(&format!("mask_decoder2.{name}.{part}"), &shape);
        }
    }
    layer("mask_decoder2.norm1", &[positions]);
    layer("mask_decoder2.norm2", &[positions]);
    layer("mask_decoder2.mlp.lin1", &[HIDDEN, positions]);
    layer("mask_decoder2.mlp.lin2", &[positions, HIDDEN]);
    for i in 0..2 {
        for name in ["cross_attn_token_to_image", "cross_attn_image_to_token"] {
            for (norm, width) in [("norm1", 196), ("norm2", 9), ("norm3", 1024)] {
                let name = format!("mask_decoder2.transformer2.layers.{i}.{name}.{norm}");
                layer(&name, &[width]);
            }
        }
    }
    Ok(unused)
}

/// The experts by name, with their number of tensors.
fn experts(weights: &Weights) -> BTreeMap<&str, usize> {
    let mut experts = BTreeMap::new();
    for name in weights.tensors.keys() {
        if let Some((_, rest)) = name.split_once(EXPERTS) {
            let expert = rest.split('.').next().unwrap_or(rest);
            *experts.entry(expert).or_default() += 1;
        }
    }
    experts
}

fn refused(message: String) -> Error {
    Error::Tensor {
        name: "*.linear_a_q.weight".into(),
        message,
    }
}

#[cfg(test)]
mod tests;
