//! Weights as PyTorch users of SAMed and SAMora know them.

use std::collections::BTreeMap;

use super::Weights;
use super::layout::Layout;
use super::pth::Item;
use crate::{Error, Result, Tensor};

const ADAPTER: &str = ".samora_adapter.";
const EXPERTS: &str = ".samora_adapter.experts.";

/// SAMed's file: `w_a_000`, `w_b_000`, … for q and v of each block, and the prompt encoder's and mask
/// decoder's tensors under SAM's names. A single expert is written like SAMed's update, its learnt
/// factor multiplied into `w_b`.
///
/// # Errors
/// Weights without updates, or of more than one expert.
pub fn samed_lora(weights: &Weights) -> Result<Weights> {
    let experts = experts(weights);
    if experts.len() > 1 {
        let names = experts.into_keys().collect::<Vec<_>>().join(", ");
        return Err(refused(format!(
            "a SAMed file holds one LoRA, these weights {names}; convert one expert's checkpoint"
        )));
    }
    let mut exported = Weights {
        metadata: weights.metadata.clone(),
        ..Weights::default()
    };
    for (name, tensor) in &weights.tensors {
        if name.starts_with("prompt_encoder.") || name.starts_with("mask_decoder.") {
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

/// The tensors that SAMora's payload keeps: experts with their factors, HL-Attn and mask decoder. See
/// [`samora_payload`] for what stands beside them.
///
/// # Errors
/// Weights without experts.
pub fn samora(weights: &Weights) -> Result<Weights> {
    let keeps = |name: &str| name.contains(ADAPTER) || name.starts_with("mask_decoder");
    let kept = weights.tensors.iter().filter(|(name, _)| keeps(name));
    let tensors: BTreeMap<String, Tensor> = kept
        .map(|(name, tensor)| (name.clone(), tensor.clone()))
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
    let is_first_stage = experts.len() == 1 && !any("mask_decoder.") && !any(".fuser.");
    match experts.keys().next() {
        Some(expert) if is_first_stage => {
            say("state_dict_type", text("samora_stage1"));
            say("expert", text(expert));
        }
        _ => {
            say("state_dict_type", text("samora_stage2"));
            say("use_hl_attn", Item::Bool(any(".fuser.")));
            say("train_prompt_encoder_in_stage2", Item::Bool(false));
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
