//! What plans of whole training steps cost: recomputation, frozen weights, memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use samora_engine::models::sam::{Adapter, Fusion, SamConfig, encode};
use samora_engine::nn::loss::mse;
use samora_engine::nn::{HlAttn, Level};
use samora_engine::optim::{Backward, OptimConfig, Rule, Schedule, minimise};
use samora_engine::{
    DType, Graph, Init, Plan, Planning, Remat, Tensor, Value, differentiate, plan,
};
use samora_shaders::Kernel;
use samora_tests::host::HostProgram;
use samora_tests::training::{Training, is_expert, small_encoder};

fn planned(training: &Training, fuse: bool) -> Plan {
    plan(&training.graph, &[training.loss], Planning::exact(fuse)).expect("a plan")
}

/// Matrix products that sum over all tokens of the batch: what gradients of weights do.
fn weight_gradients(plan: &Plan) -> usize {
    let tokens = 2 * small_encoder().grid().pow(2);
    let sums = |k: &&samora_engine::Step| matches!(&k.kernel, Kernel::Gemm(g) if g.k == tokens);
    plan.steps.iter().filter(sums).count()
}

/// Only the expert's two products per block have weight gradients: q and v share them.
#[test]
fn frozen_weights_cost_no_gradient_products() {
    let depth = small_encoder().depth;
    let expert = planned(&Training::new(Remat::None, is_expert), true);
    let all = planned(&Training::new(Remat::None, |_| true), true);
    assert_eq!(weight_gradients(&expert), 2 * depth);
    // qkv, proj and the MLP of each block, the patch embedding, two convolutions of the neck.
    assert_eq!(weight_gradients(&all), 6 * depth + 3);
}

#[test]
fn recomputation_saves_memory() {
    let live = |remat| planned(&Training::new(remat, |_| true), true).live();
    let [none, pointwise, blocks] = [Remat::None, Remat::Pointwise, Remat::Blocks].map(live);
    assert!(pointwise < none, "pointwise {pointwise}, none {none}");
    assert!(blocks < none, "blocks {blocks}, none {none}");
}

/// Windows of an image take nine times what it takes. Of eight convolutions, two in a block, one at a time has its
/// windows or their gradient in memory, beside an image of each. If blocks are recomputed, an image of each block is
/// kept, and the gradient of a block's first windows waits for the recomputation of the block before.
#[test]
fn windows_of_convolutions_are_not_kept() {
    for (remat, images) in [(Remat::None, 8 + 9), (Remat::Blocks, 4 + 2 * 9)] {
        let mut g = Graph::new();
        let mut x = g.input("image", &[1, 32, 32, 16], DType::F32);
        let image = g.ty(x).len();
        let mut weights = Vec::new();
        for n in 0..8 {
            let scope = format!("blocks.{}", n / 2);
            x = g.within(scope.as_str(), |g| {
                let weight = g.param(&format!("conv{n}"), &[16, 16, 3, 3], Init::Zeros);
                weights.push(weight);
                let y = g.conv2d(x, weight, None, 1, [1; 4]);
                g.relu(y)
            });
        }
        let loss = g.mean(x, &[0, 1, 2, 3]);
        let gradients = differentiate(&mut g, loss, &weights, remat);
        let wanted: Vec<Value> = gradients.into_iter().flatten().collect();
        let planned = plan(&g, &wanted, Planning::exact(true)).expect("a plan");
        let live = planned.live() as f64 / image as f64;
        println!("{remat:?}: {live} images alive at once");
        assert!(live < f64::from(images + 4), "{remat:?}: {live}");
    }
}

/// Images of `[1024, 16]` alive at once in a step that trains 12 layers, the input aside.
fn images(remat: Remat, layer: impl Fn(&mut Graph, Value, &mut Vec<Value>) -> Value) -> f64 {
    let mut g = Graph::new();
    let mut x = g.input("image", &[1024, 16], DType::F32);
    let image = g.ty(x).len() as f64;
    let mut weights = Vec::new();
    for n in 0..12 {
        x = g.within(format!("layer{n}"), |g| layer(g, x, &mut weights));
    }
    let loss = g.mean(x, &[0, 1]);
    let gradients = differentiate(&mut g, loss, &weights, remat);
    let wanted: Vec<Value> = gradients.into_iter().flatten().collect();
    let planned = plan(&g, &wanted, Planning::exact(true)).expect("a plan");
    planned.live() as f64 / image
}

/// The gradients of a layer use its image, twice what GELU is made from, and what LayerNorm and GELU make of them,
/// which can be made again.
#[test]
fn what_is_quickly_made_need_not_be_kept() {
    let mlp = |g: &mut Graph, x: Value, weights: &mut Vec<Value>| {
        let [gamma, beta] = ["gamma", "beta"].map(|name| g.param(name, &[16], Init::Zeros));
        let [wide, narrow] = [("wide", [16, 32]), ("narrow", [32, 16])]
            .map(|(name, shape)| g.param(name, &shape, Init::Zeros));
        weights.extend([gamma, beta, wide, narrow]);
        let y = g.layer_norm(x, gamma, beta, 1e-6);
        let y = g.matmul(y, wide);
        let y = g.gelu(y);
        let y = g.matmul(y, narrow);
        g.add(x, y)
    };
    for (remat, each) in [(Remat::None, 1 + 2 + 1 + 2), (Remat::Pointwise, 1 + 2)] {
        let images = images(remat, mlp);
        println!("{remat:?}: {images} images alive at once");
        assert!(
            (-1.0..10.0).contains(&(images - f64::from(12 * each))),
            "{remat:?}: {images}"
        );
    }
}

/// The gradients of a layer use what is squared and the sum. Three sums are made again from the one before and what was
/// squared since.
#[test]
fn chains_of_sums_are_made_again_in_pieces() {
    let residual = |g: &mut Graph, x: Value, weights: &mut Vec<Value>| {
        let weight = g.param("weight", &[16, 16], Init::Zeros);
        weights.push(weight);
        let y = g.matmul(x, weight);
        let y = g.square(y);
        let y = g.add(x, y);
        g.relu(y)
    };
    for (remat, kept) in [(Remat::None, 12 + 12), (Remat::Pointwise, 12 + 12 / 4)] {
        let images = images(remat, residual);
        println!("{remat:?}: {images} images alive at once");
        assert!(
            (-1.0..6.0).contains(&(images - f64::from(kept))),
            "{remat:?}: {images}"
        );
    }
}

/// Nothing waits for the updates of parameters: several of one length are one kernel that computes the same.
#[test]
fn updates_share_kernels() {
    let training = Training::new(Remat::None, |_| true);
    let mut feeds: HashMap<String, Tensor> = training.parameters().into_iter().collect();
    feeds.extend(
        training
            .inputs(0)
            .into_iter()
            .map(|(name, tensor)| (name.into(), tensor)),
    );
    // Twelve hold two updates of AdamW, and all else that thirty-one do.
    let [(apart, want), (together, got)] = [12, 31].map(|bindings| {
        let planning = Planning {
            bindings,
            ..Planning::exact(true)
        };
        let planned = plan(&training.graph, &[training.loss], planning).expect("a plan");
        let updates = planned
            .steps
            .iter()
            .filter(|s| s.label.starts_with("optim"));
        let binds: Vec<usize> = updates.map(|s| s.bound.len()).collect();
        assert!(binds.iter().all(|n| *n <= bindings), "{binds:?}");
        let mut program = HostProgram::new(&training.graph, planned, &feeds);
        program.step();
        let changed = training
            .changing()
            .into_iter()
            .map(|name| program.source(&name));
        (binds.len(), changed.collect::<Vec<_>>())
    });
    println!("{apart} kernels of the optimiser, {together} together");
    assert!(4 * together < 3 * apart, "{apart} kernels, then {together}");
    assert_eq!(got, want);
}

/// A step of SAM ViT-B at 224 pixels, batch 2, with this adapter, updating what `trains`.
fn vit_b(adapter: &Adapter, remat: Remat, trains: impl Fn(&str) -> bool) -> Plan {
    let mut g = Graph::new();
    let image = g.input("image", &[2, 224, 224, 3], DType::F32);
    let encoded = encode(&mut g, &SamConfig::vit_b(224), adapter, image);
    let shape = g.shape(encoded.features).to_vec();
    let target = g.input("target", &shape, DType::F32);
    let loss = mse(&mut g, encoded.features, target);
    let trained = g.params().filter(|p| trains(&p.name)).map(|p| p.value);
    let trained: Vec<Value> = trained.collect();
    let optimiser = OptimConfig {
        learning_rate: 1e-3,
        rule: Rule::default(),
        schedule: Schedule::Constant,
        clip_norm: None,
    };
    let backward = Backward {
        remat,
        scaled: false,
    };
    minimise(&mut g, loss, &trained, &optimiser, 100, backward);
    plan(&g, &[loss], Planning::exact(true)).expect("a plan")
}

/// What a kernel reads and what it writes are in different slots, so these need more than what is alive at once, but
/// not much.
#[test]
fn slots_stay_close_to_what_is_alive() {
    let level = Level::Image;
    let expert = Adapter::Expert { level, rank: 4 };
    let fusion = Fusion::HlAttn(HlAttn::default());
    let experts = Adapter::Experts { rank: 4, fusion };
    let fuser = |name: &str| name.contains(".fuser.");
    for (what, plan) in [
        ("expert", vit_b(&expert, Remat::None, is_expert)),
        (
            "expert, pointwise",
            vit_b(&expert, Remat::Pointwise, is_expert),
        ),
        ("fine-tuning", vit_b(&experts, Remat::None, fuser)),
        ("fine-tuning, blocks", vit_b(&experts, Remat::Blocks, fuser)),
        (
            "whole encoder",
            vit_b(&Adapter::None, Remat::None, |_| true),
        ),
    ] {
        let slots: usize = plan.slots.iter().sum();
        let ratio = slots as f64 / plan.live() as f64;
        println!(
            "{what}: {} kernels, {} MiB alive, slots {ratio:.3} of it",
            plan.steps.len(),
            plan.live() >> 18
        );
        assert!(slots >= plan.live(), "{what}");
        assert!(ratio <= 1.1, "{what}: slots take {ratio} of what is alive");
    }
}
