//! Operands that do not fit are reported, never a panic.

use samora_shaders::Tokens;

use crate::ops::attention::Attend;
use crate::{DType, Graph, Value};

/// Every misuse is reported with its op; building goes on.
#[test]
fn mistakes_name_their_op() {
    type Build = fn(&mut Graph, Value) -> Value;
    let misuses: [(&str, Build); 9] = [
        ("sum", |g, x| g.sum(x, &[3])),
        ("max", |g, x| g.max(x, &[1, 1])),
        ("pad", |g, x| g.pad(x, 7, 1, 0)),
        ("concat", |g, x| {
            let other = g.fill(&[3, 3], 0.0);
            g.concat(&[x, other], 0)
        }),
        ("layer_norm", |g, x| g.layer_norm(x, x, x, 1e-5)),
        ("resize", |g, x| g.resize_axis(x, 2, 4)),
        ("gather", |g, x| g.gather(x, 1, x)),
        ("dims", |g, x| g.unfold(x, (3, 3), 1, [0; 4])),
        ("unfold", |g, _| {
            let x = g.fill(&[1, 2, 2, 1], 0.0);
            g.unfold(x, (3, 3), 0, [0; 4])
        }),
    ];
    for (op, build) in misuses {
        let mut g = Graph::new();
        let x = g.input("x", &[2, 5], DType::F32);
        g.within("here", |g| build(g, x));
        let message = g.check().expect_err(op).to_string();
        assert!(message.starts_with(&format!("{op} at here: ")), "{message}");
    }
}

#[test]
fn attention_refuses_what_does_not_fit() {
    let grid = Tokens::Grid {
        height: 2,
        width: 2,
        window_h: 2,
        window_w: 2,
    };
    let sequence = Tokens::Sequence {
        queries: 4,
        keys: 4,
    };
    for (heads, tokens, tables, wants) in [
        (2, sequence, false, None),
        (0, sequence, false, Some("heads")),
        (4, sequence, false, Some("heads")),
        (2, sequence, true, Some("windows")),
        (2, grid, true, Some("tables")),
        (
            2,
            Tokens::Sequence {
                queries: 4,
                keys: 5,
            },
            false,
            Some("expected 5 tokens"),
        ),
    ] {
        let mut g = Graph::new();
        let x = g.input("x", &[1, 4, 6], DType::F32);
        let cfg = Attend {
            heads,
            tokens,
            rel_pos: tables.then_some((x, x)),
            distance_bias: None,
            pad_kv: None,
            scale: None,
        };
        g.attention(x, x, x, cfg);
        match (g.check(), wants) {
            (Ok(()), None) => {}
            (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{error}"),
            (result, _) => unreachable!("{heads} {tokens:?}: {result:?}"),
        }
    }
}

#[test]
fn a_bias_by_distance_needs_windows_that_tile() {
    let mut g = Graph::new();
    let x = g.input("x", &[1, 4, 6], DType::F32);
    let bias = g.input("bias", &[2, 3], DType::F32);
    let cfg = Attend {
        heads: 2,
        tokens: Tokens::Grid {
            height: 2,
            width: 2,
            window_h: 1,
            window_w: 3,
        },
        rel_pos: None,
        distance_bias: Some(bias),
        pad_kv: None,
        scale: None,
    };
    g.attention(x, x, x, cfg);
    assert!(g.check().unwrap_err().to_string().contains("tile"));
}
