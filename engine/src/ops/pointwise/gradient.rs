//! Derivatives of the pointwise ops, as graph nodes.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use samora_shaders::{Binary, Unary};

use crate::{Graph, Value};

pub(super) fn unary_grad(g: &mut Graph, op: Unary, x: Value, y: Value, dy: Value) -> Option<Value> {
    Some(match op {
        Unary::Neg => g.neg(dy),
        Unary::Exp => g.mul(dy, y),
        Unary::Log => g.div(dy, x),
        Unary::Sqrt => {
            let half = g.scale(dy, 0.5);
            g.div(half, y)
        }
        Unary::Abs => {
            let zero = g.scalar(0.0);
            let negative = g.lt(x, zero);
            let flipped = g.neg(dy);
            g.select(negative, flipped, dy)
        }
        Unary::Sin => {
            let c = g.cos(x);
            g.mul(dy, c)
        }
        Unary::Cos => {
            let s = g.sin(x);
            let s = g.neg(s);
            g.mul(dy, s)
        }
        Unary::Tanh => {
            // dy·(1 − y²)
            let yy = g.square(y);
            let one = g.scalar(1.0);
            let slope = g.sub(one, yy);
            g.mul(dy, slope)
        }
        Unary::Erf => {
            // 2/√π · exp(−x²)
            let xx = g.square(x);
            let xx = g.neg(xx);
            let e = g.exp(xx);
            let slope = g.scale(e, FRAC_2_SQRT_PI);
            g.mul(dy, slope)
        }
        Unary::Floor => return None,
    })
}

/// dy·(Φ(x) + x·φ(x)), the normal distribution and its density.
pub(super) fn gelu_grad(g: &mut Graph, x: Value, dy: Value) -> Value {
    let z = g.scale(x, FRAC_1_SQRT_2);
    let e = g.erf(z);
    let cdf = g.scale(e, 0.5);
    let cdf = g.offset(cdf, 0.5);
    let zz = g.square(z);
    let zz = g.neg(zz);
    let density = g.exp(zz);
    let density = g.scale(density, 0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI);
    let slope = g.mul(x, density);
    let slope = g.add(cdf, slope);
    g.mul(dy, slope)
}

pub(super) fn left_grad(g: &mut Graph, op: Binary, a: Value, b: Value, dy: Value) -> Option<Value> {
    Some(match op {
        Binary::Add | Binary::Sub => dy,
        Binary::Mul => g.mul(dy, b),
        Binary::Div => g.div(dy, b),
        Binary::Pow => {
            // b·a^(b−1)
            let less = g.offset(b, -1.0);
            let p = g.pow(a, less);
            let slope = g.mul(b, p);
            g.mul(dy, slope)
        }
        Binary::Max | Binary::Eq | Binary::Lt => return None,
    })
}

pub(super) fn right_grad(
    g: &mut Graph,
    op: Binary,
    a: Value,
    b: Value,
    y: Value,
    dy: Value,
) -> Option<Value> {
    Some(match op {
        Binary::Add => dy,
        Binary::Sub => g.neg(dy),
        Binary::Mul => g.mul(dy, a),
        Binary::Div => {
            let ratio = g.div(y, b);
            let slope = g.neg(ratio);
            g.mul(dy, slope)
        }
        Binary::Max | Binary::Pow | Binary::Eq | Binary::Lt => return None,
    })
}
