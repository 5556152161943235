//! AdamW with weight decay and SAMed's schedule against `torch.optim` (`adamw.py`).

use samora_engine::nn::linear;
use samora_engine::nn::loss::mse;
use samora_engine::optim::{Backward, OptimConfig, PolyLength, Rule, Schedule, minimise};
use samora_engine::{Graph, Program, Value, plan};
use samora_tests::devices;

use super::{assert_close, fixture};

#[test]
fn adamw_takes_pytorchs_steps() {
    let reference = fixture("adamw").tensors;
    let mut g = Graph::new();
    let x = g.constant("x", reference["x"].clone());
    let target = g.constant("target", reference["target"].clone());
    let y = linear(&mut g, "model", x, 3);
    let loss = mse(&mut g, y, target);
    let params: Vec<Value> = g.params().map(|s| s.value).collect();
    let config = OptimConfig {
        learning_rate: 0.05,
        rule: Rule::AdamW {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.1,
            decay_vectors: true,
        },
        schedule: Schedule::Poly {
            warmup_steps: 2,
            power: 0.9,
            length: PolyLength::Total,
        },
        clip_norm: None,
    };
    minimise(&mut g, loss, &params, &config, 10, Backward::default());
    g.check().unwrap();
    let start = ["weight", "bias"].map(|n| {
        let tensor = reference[&format!("start.{n}")].clone();
        (format!("model.{n}"), tensor)
    });
    let start = start.into();
    for device in devices() {
        let planned = plan(&g, &[loss], device.planning(true)).unwrap();
        let mut program = Program::new(device, &g, planned, &start).unwrap();
        for step in 0..6 {
            program.step(&[]).unwrap();
            for name in ["weight", "bias"] {
                let got = program.tensor(&format!("model.{name}")).unwrap();
                let want = &reference[&format!("after{step}.{name}")];
                assert_close(&format!("{name} after step {step}"), &got, want, 1e-6);
            }
        }
    }
}
