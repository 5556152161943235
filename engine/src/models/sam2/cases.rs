//! Test cases of what is composed here.

use super::Sam2Config;
use super::config::Block;
use super::positions::positions;
use crate::cases::{Case, distinct, operand};

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "positions, stretched and repeated",
        build: |g| {
            let config = Sam2Config {
                dim: 3,
                windows_tokens: [4, 2, 2, 2],
                positions_tokens: 5,
                ..Sam2Config::tiny(32)
            };
            vec![positions(g, &config, 8)]
        },
    },
    Case {
        name: "attention of pooled queries in overhanging windows, keys shared",
        build: |g| {
            let block = Block {
                stage: 1,
                grid: 6,
                window: 4,
                dim: 4,
                out: 4,
                heads: 2,
                pools: true,
            };
            // Far apart, yet small enough for weights of every size.
            let q = distinct(g, "q", &[2, 64, 4]);
            let q = g.scale(q, 1.0 / 64.0);
            let (k, v) = (operand(g, "k", &[1, 64, 4]), operand(g, "v", &[2, 64, 4]));
            vec![block.attend_pooled(g, [q, k, v])]
        },
    },
];
