//! Pointwise ops as a table: formula, reference and derivative of each.

mod gradient;

use std::f32::consts::FRAC_1_SQRT_2;

use samora_shaders::reference::{binary, select, unary};
use samora_shaders::{Access, Binary, Expr, Leaf, Map, Output, Scalar, Unary, View};

use self::gradient::{gelu_grad, left_grad, right_grad, unary_grad};
use crate::cases::{Case, distinct, operand, positive};
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

/// A pointwise op on operands of one shape.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pointwise {
    Unary(Unary),
    Binary(Binary),
    /// `Scale(c)`: x·c
    Scale(f32),
    /// `Offset(c)`: x + c
    Offset(f32),
    /// `where(c ≠ 0, a, b)`
    Select,
    /// An op of its own, so that its gradient needs its operand alone.
    Gelu,
    /// An op of its own, so that its gradient needs its result alone.
    Relu,
}

/// Builders. Operands of binary ops broadcast by the trailing-dimension rule.
impl Graph {
    /// a + b
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Add, a, b)
    }
    /// a − b
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Sub, a, b)
    }
    /// a · b
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Mul, a, b)
    }
    /// a / b
    pub fn div(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Div, a, b)
    }
    /// Larger of both. The gradient goes to `a` where a ≥ b.
    pub fn maximum(&mut self, a: Value, b: Value) -> Value {
        let less = self.lt(a, b);
        self.select(less, b, a)
    }
    /// Smaller of both. The gradient goes to `a` where a ≤ b.
    pub fn minimum(&mut self, a: Value, b: Value) -> Value {
        let less = self.lt(b, a);
        self.select(less, b, a)
    }
    /// aᵇ for a ≥ 0; differentiable in `a` only.
    pub fn pow(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Pow, a, b)
    }
    /// 1 where a = b, else 0. No gradient. Takes u32 operands too.
    pub fn eq(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Eq, a, b)
    }
    /// 1 where a < b, else 0. No gradient.
    pub fn lt(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Lt, a, b)
    }
    /// `a` where c ≠ 0, else `b`. No gradient for `c`.
    pub fn select(&mut self, c: Value, a: Value, b: Value) -> Value {
        let shape = self.common_shape(&[c, a, b]);
        let inputs = [c, a, b].map(|v| self.broadcast(v, &shape));
        self.push(Pointwise::Select, &inputs)
    }
    /// −x
    pub fn neg(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Neg), &[x])
    }
    /// eˣ
    pub fn exp(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Exp), &[x])
    }
    /// Natural logarithm.
    pub fn log(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Log), &[x])
    }
    /// √x
    pub fn sqrt(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Sqrt), &[x])
    }
    /// |x|
    pub fn abs(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Abs), &[x])
    }
    /// Sine.
    pub fn sin(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Sin), &[x])
    }
    /// Cosine.
    pub fn cos(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Cos), &[x])
    }
    /// Hyperbolic tangent.
    pub fn tanh(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Tanh), &[x])
    }
    /// Error function.
    pub fn erf(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Erf), &[x])
    }
    /// Largest integer not above x. No gradient.
    pub fn floor(&mut self, x: Value) -> Value {
        self.push(Pointwise::Unary(Unary::Floor), &[x])
    }
    /// x · c
    pub fn scale(&mut self, x: Value, c: f32) -> Value {
        self.push(Pointwise::Scale(c), &[x])
    }
    /// x + c
    pub fn offset(&mut self, x: Value, c: f32) -> Value {
        self.push(Pointwise::Offset(c), &[x])
    }
    /// x²
    pub fn square(&mut self, x: Value) -> Value {
        self.mul(x, x)
    }
    /// max(x, 0)
    pub fn relu(&mut self, x: Value) -> Value {
        self.push(Pointwise::Relu, &[x])
    }
    /// 1/(1 + e⁻ˣ), as ½·tanh(x/2) + ½
    pub fn sigmoid(&mut self, x: Value) -> Value {
        let half = self.scale(x, 0.5);
        let t = self.tanh(half);
        let t = self.scale(t, 0.5);
        self.offset(t, 0.5)
    }
    /// Exact GELU, ½x(1 + erf(x/√2)).
    pub fn gelu(&mut self, x: Value) -> Value {
        self.push(Pointwise::Gelu, &[x])
    }
    /// The shape all of `values` broadcast to.
    pub fn common_shape(&mut self, values: &[Value]) -> Vec<usize> {
        let rank = values
            .iter()
            .map(|&v| self.shape(v).len())
            .max()
            .unwrap_or(0);
        let mut out = vec![1; rank];
        for &v in values {
            let shape = self.shape(v);
            let lead = rank - shape.len();
            for (o, &s) in out[lead..].iter_mut().zip(shape) {
                if *o == 1 {
                    *o = s;
                }
            }
        }
        out
    }

    fn binary(&mut self, op: Binary, a: Value, b: Value) -> Value {
        let shape = self.common_shape(&[a, b]);
        let a = self.broadcast(a, &shape);
        let b = self.broadcast(b, &shape);
        self.push(Pointwise::Binary(op), &[a, b])
    }
}

impl Pointwise {
    fn eval(self, x: &[f64]) -> f64 {
        match self {
            Self::Unary(op) => unary(op, x[0]),
            Self::Binary(op) => binary(op, x[0], x[1]),
            Self::Scale(c) => x[0] * f64::from(c),
            Self::Offset(c) => x[0] + f64::from(c),
            Self::Select => select(x[0], x[1], x[2]),
            // Not a maximum: NaN stays NaN.
            Self::Relu => x[0] * f64::from(u8::from(x[0] > 0.0)),
            Self::Gelu => {
                0.5 * x[0] * (1.0 + unary(Unary::Erf, x[0] * std::f64::consts::FRAC_1_SQRT_2))
            }
        }
    }

    fn scalar(self, expr: &mut Expr, x: &[usize]) -> usize {
        let node = match self {
            Self::Unary(op) => Scalar::Unary(op, x[0]),
            Self::Binary(op) => Scalar::Binary(op, x[0], x[1]),
            Self::Scale(c) => Scalar::Binary(Binary::Mul, x[0], expr.push(Scalar::Const(c))),
            Self::Offset(c) => Scalar::Binary(Binary::Add, x[0], expr.push(Scalar::Const(c))),
            Self::Select => Scalar::Select(x[0], x[1], x[2]),
            Self::Gelu => Scalar::Binary(Binary::Mul, x[0], normal_cdf(expr, x[0])),
            Self::Relu => {
                let zero = expr.push(Scalar::Const(0.0));
                let positive = expr.push(Scalar::Binary(Binary::Lt, zero, x[0]));
                Scalar::Binary(Binary::Mul, x[0], positive)
            }
        };
        expr.push(node)
    }
}

impl Op for Pointwise {
    fn name(&self) -> &'static str {
        match self {
            Self::Unary(Unary::Neg) => "neg",
            Self::Unary(Unary::Exp) => "exp",
            Self::Unary(Unary::Log) => "log",
            Self::Unary(Unary::Sqrt) => "sqrt",
            Self::Unary(Unary::Abs) => "abs",
            Self::Unary(Unary::Sin) => "sin",
            Self::Unary(Unary::Cos) => "cos",
            Self::Unary(Unary::Tanh) => "tanh",
            Self::Unary(Unary::Erf) => "erf",
            Self::Unary(Unary::Floor) => "floor",
            Self::Binary(Binary::Add) => "add",
            Self::Binary(Binary::Sub) => "sub",
            Self::Binary(Binary::Mul) => "mul",
            Self::Binary(Binary::Div) => "div",
            Self::Binary(Binary::Max) => "maximum",
            Self::Binary(Binary::Pow) => "pow",
            Self::Binary(Binary::Eq) => "eq",
            Self::Binary(Binary::Lt) => "lt",
            Self::Scale(_) => "scale",
            Self::Offset(_) => "offset",
            Self::Select => "select",
            Self::Gelu => "gelu",
            Self::Relu => "relu",
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs.iter().all(|t| t.shape == inputs[0].shape) {
            true => Ok(vec![Type::f32(&inputs[0].shape)]),
            false => {
                let shapes: Vec<_> = inputs.iter().map(|t| &t.shape).collect();
                Err(format!("operands have shapes {shapes:?}"))
            }
        }
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let eval = |i| {
            let x: [f64; 3] = std::array::from_fn(|k| inputs.get(k).map_or(0.0, |t| t.at(i)));
            self.eval(&x) as f32
        };
        vec![Tensor::f32(
            &inputs[0].shape,
            (0..inputs[0].len()).map(eval).collect(),
        )]
    }

    fn lower(&self, inputs: &[Type], outputs: &[Type]) -> Lowering {
        let mut expr = Expr::default();
        let ids: Vec<usize> = (0..inputs.len())
            .map(|k| expr.push(Scalar::Leaf(k)))
            .collect();
        let value = self.scalar(&mut expr, &ids);
        let leaves = (0..inputs.len())
            .map(|k| identity(k, &inputs[k].shape))
            .collect();
        Lowering::Map(map(outputs[0].len(), leaves, expr, value))
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let Some(dy) = ctx.douts[0] else {
            return vec![None; ctx.inputs.len()];
        };
        let y = ctx.outputs[0];
        let x = &ctx.inputs;
        match *self {
            Self::Scale(c) => vec![Some(g.scale(dy, c))],
            Self::Offset(_) => vec![Some(dy)],
            Self::Select => {
                let zero = g.scalar(0.0);
                let a = ctx.needs[1].then(|| g.select(x[0], dy, zero));
                let b = ctx.needs[2].then(|| g.select(x[0], zero, dy));
                vec![None, a, b]
            }
            Self::Gelu => vec![Some(gelu_grad(g, x[0], dy))],
            Self::Relu => {
                let zero = g.scalar(0.0);
                let positive = g.lt(zero, y);
                vec![Some(g.mul(dy, positive))]
            }
            Self::Unary(op) => vec![unary_grad(g, op, x[0], y, dy)],
            Self::Binary(op) => {
                let a = if ctx.needs[0] {
                    left_grad(g, op, x[0], x[1], dy)
                } else {
                    None
                };
                let b = if ctx.needs[1] {
                    right_grad(g, op, x[0], x[1], y, dy)
                } else {
                    None
                };
                vec![a, b]
            }
        }
    }
}

/// ½ + ½·erf(x/√2)
fn normal_cdf(expr: &mut Expr, x: usize) -> usize {
    let [root, half] = [FRAC_1_SQRT_2, 0.5].map(|c| expr.push(Scalar::Const(c)));
    let z = expr.push(Scalar::Binary(Binary::Mul, x, root));
    let e = expr.push(Scalar::Unary(Unary::Erf, z));
    let e = expr.push(Scalar::Binary(Binary::Mul, e, half));
    expr.push(Scalar::Binary(Binary::Add, e, half))
}

/// A leaf that reads element `i` of input `k`.
pub(crate) fn identity(k: usize, shape: &[usize]) -> Leaf {
    Leaf {
        buffer: k,
        access: Access::Strided(View::contiguous(shape)),
    }
}

/// A pointwise lowering with one output.
pub(crate) fn map(len: usize, leaves: Vec<Leaf>, expr: Expr, value: usize) -> Map {
    Map {
        len,
        bindings: Vec::new(),
        leaves,
        expr,
        outputs: vec![Output { buffer: 0, value }],
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "smooth functions",
        build: |g| {
            let x = operand(g, "x", &[3, 5]);
            let scaled = g.scale(x, -0.75);
            let shifted = g.offset(x, 2.0);
            let plain = [g.neg(x), g.exp(x), g.sin(x), g.cos(x), g.tanh(x), g.erf(x)];
            let composed = [g.square(x), g.sigmoid(x), g.gelu(x), scaled, shifted];
            [&plain[..], &composed].concat()
        },
    },
    Case {
        name: "functions of positive numbers",
        build: |g| {
            let (a, b) = (positive(g, "a", &[7]), positive(g, "b", &[7]));
            let power = g.scalar(-1.5);
            vec![g.log(a), g.sqrt(a), g.div(a, b), g.pow(b, power)]
        },
    },
    Case {
        name: "functions with kinks",
        build: |g| {
            let (a, b) = (distinct(g, "a", &[3, 3]), distinct(g, "b", &[3, 3]));
            let b = g.offset(b, 0.5);
            vec![g.relu(a), g.abs(a), g.maximum(a, b), g.minimum(a, b)]
        },
    },
    Case {
        name: "broadcast arithmetic",
        build: |g| {
            let a = operand(g, "a", &[3, 1, 5]);
            let (b, c) = (operand(g, "b", &[4, 1]), operand(g, "c", &[]));
            let sum = g.add(a, b);
            let difference = g.sub(sum, c);
            vec![g.mul(difference, a)]
        },
    },
    Case {
        name: "choices",
        build: |g| {
            let (a, b) = (distinct(g, "a", &[4, 3]), distinct(g, "b", &[4, 3]));
            let b = g.offset(b, 0.5);
            let (less, column) = (g.lt(a, b), g.coord(&[4, 3], 1));
            let labels = g.constant("labels", Tensor::u32(&[4, 1], vec![2, 0, 1, 1]));
            let chosen = g.eq(column, labels);
            let half = g.offset(a, 0.5);
            let step = g.floor(half);
            vec![g.select(less, a, b), g.select(chosen, b, step)]
        },
    },
];
