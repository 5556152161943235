#![allow(clippy::unwrap_used)]

use super::*;

const BLOCK: &str = "image_encoder.blocks.1";

/// One expert's tensors in block 1, B being ones.
fn expert(name: &str, scale: f32) -> Vec<(String, Tensor)> {
    let full = |part: &str| format!("{BLOCK}.samora_adapter.experts.{name}.{part}.weight");
    vec![
        (full("linear_a_q"), Tensor::full(&[2, 4], 3.0)),
        (full("linear_b_q"), Tensor::full(&[4, 2], 1.0)),
        (full("linear_a_v"), Tensor::full(&[2, 4], 5.0)),
        (full("linear_b_v"), Tensor::full(&[4, 2], 1.0)),
        (
            format!("{BLOCK}.samora_adapter.{name}_scale"),
            Tensor::full(&[], scale),
        ),
    ]
}

fn weights(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Weights {
    Weights {
        tensors: tensors.into_iter().collect(),
        ..Weights::default()
    }
}

#[test]
fn an_expert_becomes_a_samed_file() {
    let decoder = (
        "mask_decoder.iou_token.weight".to_string(),
        Tensor::full(&[1, 4], 7.0),
    );
    let exported = samed_lora(&weights([expert("pixel", 0.5), vec![decoder]].concat())).unwrap();
    let names: Vec<&str> = exported.tensors.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "mask_decoder.iou_token.weight",
            "w_a_002",
            "w_a_003",
            "w_b_002",
            "w_b_003"
        ]
    );
    assert_eq!(exported.tensors["w_a_003"], Tensor::full(&[2, 4], 5.0));
    assert_eq!(exported.tensors["w_b_002"], Tensor::full(&[4, 2], 0.5));
}

#[test]
fn what_has_no_place_is_refused() {
    let two = weights([expert("pixel", 1.0), expert("image", 1.0)].concat());
    let error = samed_lora(&two).unwrap_err().to_string();
    assert!(error.contains("image, pixel"), "{error}");
    let decoder = (
        "mask_decoder.iou_token.weight".to_string(),
        Tensor::full(&[1, 4], 7.0),
    );
    let none = weights([decoder]);
    assert!(
        samed_lora(&none)
            .unwrap_err()
            .to_string()
            .contains("no LoRA")
    );
    assert!(
        samora(&none)
            .unwrap_err()
            .to_string()
            .contains("needs experts")
    );
}

fn said(weights: &Weights) -> Vec<(String, Item<'_>)> {
    match samora_payload(weights) {
        Item::Dict(items) => items,
        _ => Vec::new(),
    }
}

#[test]
fn payloads_say_which_stage_they_are() {
    let has = |items: &[(String, Item<'_>)], key: &str, item: Item<'_>| {
        assert!(items.contains(&(key.to_string(), item)), "{key}: {items:?}");
    };
    let first = samora(&weights(expert("pixel", 1.0))).unwrap();
    let first = said(&first);
    has(
        &first,
        "state_dict_type",
        Item::Text("samora_stage1".into()),
    );
    has(&first, "expert", Item::Text("pixel".into()));
    has(&first, "rank", Item::Int(2));
    let fuser = (
        format!("{BLOCK}.samora_adapter.fuser.low_gate"),
        Tensor::full(&[], 1.0),
    );
    let encoder = (
        "image_encoder.pos_embed".to_string(),
        Tensor::full(&[1], 0.0),
    );
    let mut all = weights([expert("pixel", 1.0), vec![fuser, encoder]].concat());
    all.metadata
        .insert("fusion_order".into(), "pixel,image".into());
    let second = samora(&all).unwrap();
    assert!(!second.tensors.contains_key("image_encoder.pos_embed"));
    let second = said(&second);
    has(
        &second,
        "state_dict_type",
        Item::Text("samora_stage2".into()),
    );
    has(&second, "use_hl_attn", Item::Bool(true));
    let order = ["pixel", "image"].map(|level| Item::Text(level.into()));
    has(&second, "fusion_order", Item::List(order.to_vec()));
    has(&second, "train_prompt_encoder_in_stage2", Item::Bool(false));
}

/// H-SAMora's wrapper takes what its names say and passes over all else.
#[test]
fn with_a_second_decoder_payloads_are_h_samoras() {
    let fuser = format!("{BLOCK}.samora_adapter.fuser.low_gate");
    let prompts = "prompt_encoder.no_mask_embed.weight";
    let names = [&fuser, "mask_decoder2.mask_tokens.weight", prompts];
    let more = names.map(|name| (name.to_string(), Tensor::full(&[1], 1.0)));
    let payload = samora(&weights([expert("pixel", 1.0), more.to_vec()].concat())).unwrap();
    let renamed = format!("{BLOCK}.samora_adapter.hl_attn.low_gate");
    assert!(payload.tensors.contains_key(&renamed));
    assert!(!payload.tensors.contains_key(&fuser));
    // A network that did not start from a SAM has a prompt encoder of its own.
    assert!(payload.tensors.contains_key(prompts));
    let said = said(&payload);
    for key in ["use_hl_attn", "train_prompt_encoder_in_stage2"] {
        assert!(said.contains(&(key.to_string(), Item::Bool(true))), "{key}");
    }
}
