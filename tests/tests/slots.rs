//! Values that lie beside each other in one slot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use samora_engine::gpu::Program;
use samora_engine::{Graph, Init, Place, Planning, Tensor, Value, cpu, plan};
use samora_tests::cases::parameters;
use samora_tests::device;
use samora_tests::host::HostProgram;

/// A large product, what is summed from it, and two values made from that, both wanted: they share the product's
/// slot, one after the other.
fn graph() -> (Graph, [Value; 2]) {
    let mut g = Graph::new();
    let a = g.param("a", &[1024, 4], Init::Normal(1.0));
    let b = g.param("b", &[4, 256], Init::Normal(1.0));
    let large = g.matmul(a, b);
    let large = g.reshape(large, &[4, 256, 256]);
    let sum = g.sum(large, &[0]);
    let sum = g.reshape(sum, &[256, 256]);
    let rows = g.softmax(sum);
    let turned = g.transpose(sum);
    let columns = g.softmax(turned);
    (g, [rows, columns])
}

fn close(got: &Tensor, want: &Tensor) {
    let pairs = got.as_f32().iter().zip(want.as_f32());
    assert_eq!(got.shape, want.shape);
    for (a, b) in pairs {
        assert!((a - b).abs() < 1e-5, "{a}, not {b}");
    }
}

#[test]
fn values_share_a_slot_side_by_side() {
    let (g, wanted) = graph();
    let planned = plan(&g, &wanted, Planning::exact(true)).expect("a plan");
    let places = wanted.map(|v| planned.outputs[&v]);
    let [
        Place::Slot { slot: a, first: 0 },
        Place::Slot { slot: b, first },
    ] = places
    else {
        panic!("{places:?}");
    };
    assert_eq!((a, first), (b, 256 * 256));

    let want = cpu::evaluate(&g, &HashMap::new(), &wanted).expect("a reference");
    let mut host = HostProgram::new(&g, planned.clone(), &HashMap::new());
    let mut program = Program::new(device(), &g, planned, &parameters(&g)).expect("a program");
    for _ in 0..2 {
        host.step();
        program.step(&[]).expect("a step");
        for (value, want) in wanted.iter().zip(&want) {
            close(&host.read(*value), want);
            close(&program.read(*value).expect("a value"), want);
        }
    }
}
