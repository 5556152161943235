//! What tuning chooses from is accepted by every backend.
#![allow(clippy::unwrap_used, clippy::panic)]

use samora_engine::ops::attention::Attend;
use samora_engine::{DType, Graph, Plan, Planning, Remat, differentiate, plan};
use samora_shaders::{Caps, Products, Tokens, variants};
use samora_tests::naga_check::validate;

/// A projection and attention of a ViT-B block on 256 tokens, and their gradients.
fn block(halves: bool) -> Plan {
    let mut g = Graph::new();
    let x = g.input("x", &[4, 256, 768], DType::F32);
    let w = g.input("w", &[768, 2304], DType::F32);
    let qkv = g.matmul(x, w);
    let [q, k, v] = [0, 1, 2].map(|i| g.slice(qkv, 2, 768 * i, 768));
    let tokens = Tokens::Sequence {
        queries: 256,
        keys: 256,
    };
    let y = g.attention(q, k, v, Attend::plain(12, tokens));
    let y = g.gelu(y);
    let loss = g.sum(y, &[0, 1, 2]);
    let gradients = differentiate(&mut g, loss, &[x, w], Remat::None);
    g.check().unwrap();
    let wanted: Vec<_> = gradients.into_iter().flatten().chain([loss]).collect();
    let planning = Planning {
        halves,
        ..Planning::exact(true)
    };
    plan(&g, &wanted, planning).unwrap()
}

#[test]
fn every_variant_of_large_kernels_is_accepted_by_every_backend() {
    let gpu = Caps {
        subgroups: Some((32, 32)),
        workgroup_memory: 49152,
        ..Caps::portable()
    };
    let (half, split) = (Products::Half { size: 16 }, Products::Split { size: 16 });
    for (products, halves) in [
        (Products::Exact, false),
        (half, false),
        (half, true),
        (split, false),
    ] {
        let planned = block(halves);
        let caps = Caps { products, ..gpu };
        let mut alone = 0;
        for step in &planned.steps {
            let all = variants(&step.kernel, &caps);
            alone += usize::from(all.len() == 1);
            for shader in all {
                let fault = validate(&shader.source);
                fault.unwrap_or_else(|e| panic!("{}: {e}", shader.name));
            }
        }
        // Three products and three passes of attention.
        assert!(alone + 6 <= planned.steps.len(), "{products:?}");
    }
}
