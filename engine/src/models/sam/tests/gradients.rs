//! Gradients of whole networks against finite differences.

use super::*;
use crate::random;

fn check_gradients(adapter: &Adapter, trains: impl Fn(&str) -> bool) -> (usize, usize) {
    let build = |g: &mut Graph| {
        let x = image(g, &small(), 1);
        let encoded = encode(g, &small(), adapter, x);
        vec![decode_masks(g, &decoder(), encoded.features).logits]
    };
    check_gradients_of(build, random_feeds, trains)
}

/// Checks one entry of the gradient of every parameter that `trains`, and nothing else being
/// trained, against central differences of a random projection of the logits that `build` returns, where
/// parameters and inputs are those of `feed`. Returns how many parameters were checked, and for how many of them the slope stands out of the tolerance.
pub(crate) fn check_gradients_of(
    build: impl Fn(&mut Graph) -> Vec<Value>,
    feed: impl Fn(&Graph) -> HashMap<String, Tensor>,
    trains: impl Fn(&str) -> bool,
) -> (usize, usize) {
    let mut g = Graph::new();
    let outputs = build(&mut g);
    let mut loss = g.scalar(0.0);
    for (k, logits) in outputs.into_iter().enumerate() {
        let name = match k {
            0 => "loss".to_string(),
            _ => format!("loss{k}"),
        };
        let weights = Init::Normal(1.0).draw(g.shape(logits), 9, &name);
        let weights = g.constant(&name, weights);
        let terms = g.mul(logits, weights);
        let sum = g.sum(terms, &[0, 1, 2, 3]);
        loss = g.add(loss, sum);
    }
    let trained: Vec<(String, Value)> = g
        .params()
        .filter(|s| trains(&s.name))
        .map(|s| (s.name.clone(), s.value))
        .collect();
    let values: Vec<Value> = trained.iter().map(|(_, v)| *v).collect();
    let gradients = differentiate(&mut g, loss, &values, Remat::None);
    let mut feeds = feed(&g);
    let mut informative = 0;
    for ((name, _), gradient) in trained.iter().zip(gradients) {
        let Some(gradient) = gradient else {
            panic!("{name} has no gradient");
        };
        let gradient = evaluate(&mut g, &feeds, &[gradient]).remove(0);
        let at = random::Stream::named(1, name).below(gradient.len());
        let original = feeds[name].clone();
        let mut probe = |step: f32| {
            let mut data = original.as_f32().to_vec();
            data[at] += step;
            feeds.insert(name.clone(), Tensor::f32(&original.shape, data));
            evaluate(&mut g, &feeds, &[loss])[0].at(0)
        };
        let slope = (probe(2e-3) - probe(-2e-3)) / 4e-3;
        feeds.insert(name.clone(), original);
        let got = gradient.at(at);
        let close = (got - slope).abs() < 1e-3 + 0.02 * slope.abs();
        assert!(close, "{name}[{at}]: {got} {slope}");
        informative += usize::from(slope.abs() > 0.01);
    }
    (trained.len(), informative)
}

#[test]
fn lora_only_gradients_reach_every_block() {
    let level = Level::Patch;
    let adapter = Adapter::Expert { level, rank: 2 };
    let checked = check_gradients(&adapter, |name| name.contains("samora_adapter"));
    assert_eq!(checked, (2 * 5, 9));
}

/// HL-Attn and decoder, what SAMora's second stage trains.
#[test]
fn stage_two_gradients_are_right() {
    for mode in [HlAttnMode::ZeroStart, HlAttnMode::Released] {
        let order = HlAttn::default().order;
        let fusion = Fusion::HlAttn(HlAttn { mode, order });
        let adapter = Adapter::Experts { rank: 2, fusion };
        let trains = |name: &str| {
            let unused = name.contains("iou_prediction_head");
            (name.contains(".fuser.") || name.starts_with("mask_decoder.")) && !unused
        };
        assert!(check_gradients(&adapter, trains).1 > 100);
    }
}

/// The whole encoder, as pre-training does, overhanging windows included.
#[test]
fn encoder_gradients_are_right() {
    let trains = |name: &str| name.starts_with("image_encoder.");
    assert!(check_gradients(&Adapter::None, trains).1 > 30);
}
