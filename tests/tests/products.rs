//! Products whose extents fit no tile, on the adapter with the kernels meant for GPUs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};

use samora_engine::gpu::Program;
use samora_engine::{DType, Graph, Init, Planning, Tensor, Value, cpu, plan};
use samora_tests::portable_device;

/// Extents of a product, and which operands are transposed views.
struct Product {
    batch: usize,
    extents: [usize; 3],
    transposed: [bool; 2],
}

const fn product(batch: usize, extents: [usize; 3], transposed: [bool; 2]) -> Product {
    Product {
        batch,
        extents,
        transposed,
    }
}

const NN: [bool; 2] = [false, false];
const NT: [bool; 2] = [false, true];
const TN: [bool; 2] = [true, false];

const PRODUCTS: &[Product] = &[
    product(1, [200, 136, 72], NN),
    product(1, [200, 136, 72], NT),
    product(1, [200, 136, 72], TN),
    product(1, [129, 257, 33], NT),
    product(3, [70, 45, 50], NN),
    product(3, [68, 44, 52], TN),
    product(2, [4, 96, 1000], TN),
    product(2, [150, 4, 772], NT),
    product(1, [6, 9, 2050], NN),
    product(1, [2000, 4100, 8], NT),
    product(160, [128, 132, 20], NT),
];

#[test]
fn products_of_any_extents_agree_with_the_reference() {
    for Product {
        batch,
        extents: [m, n, k],
        transposed,
    } in PRODUCTS
    {
        let mut g = Graph::new();
        let sides = [("a", [*m, *k]), ("b", [*k, *n])];
        let mut feeds = HashMap::new();
        let operands: Vec<Value> = (sides.into_iter().zip(transposed))
            .map(|((name, [rows, cols]), transposed)| {
                let shape = match transposed {
                    true => [*batch, cols, rows],
                    false => [*batch, rows, cols],
                };
                feeds.insert(name.to_string(), Init::Normal(1.0).draw(&shape, 0, name));
                let x = g.input(name, &shape, DType::F32);
                match transposed {
                    true => g.transpose(x),
                    false => x,
                }
            })
            .collect();
        let y = g.matmul(operands[0], operands[1]);
        let bias = Init::Normal(1.0).draw(&[*n], 0, "bias");
        feeds.insert("bias".to_string(), bias);
        let bias = g.input("bias", &[*n], DType::F32);
        let y = g.add(y, bias);
        let y = g.gelu(y);
        let want = &cpu::evaluate(&g, &feeds, &[y]).expect("a value")[0];
        let planned = plan(&g, &[y], Planning::exact(true)).expect("a plan");
        let mut program =
            Program::new(portable_device(), &g, planned, &BTreeMap::new()).expect("a program");
        let inputs: Vec<(&str, &Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t)).collect();
        program.step(&inputs).expect("a step");
        let got = program.read(y).expect("a value");
        let scale = want.as_f32().iter().fold(1e-3f32, |m, x| m.max(x.abs()));
        assert_eq!(got.shape, want.shape);
        let pairs = got.as_f32().iter().zip(want.as_f32()).enumerate();
        for (i, (a, b)) in pairs {
            assert!(
                (a - b).abs() <= 2e-4 * scale,
                "{batch}x{m}x{n}x{k} {transposed:?}: [{i}] is {a}, the reference says {b}"
            );
        }
    }
}
