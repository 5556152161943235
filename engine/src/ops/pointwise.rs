//! Pointwise ops as a table: formula, reference and derivative of each.

use samora_shaders::{Access, Binary, Expr, Leaf, Map, Output, Scalar, Unary, View};

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
        self.binary(Binary::Max, a, b)
    }
    /// Smaller of both. The gradient goes to `a` where a ≤ b.
    pub fn minimum(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Min, a, b)
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
        let zero = self.scalar(0.0);
        let positive = self.lt(zero, x);
        self.mul(x, positive)
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
        let z = self.scale(x, std::f32::consts::FRAC_1_SQRT_2);
        let e = self.erf(z);
        let cdf = self.scale(e, 0.5);
        let cdf = self.offset(cdf, 0.5);
        self.mul(x, cdf)
    }
    /// A constant scalar (shape `[]`).
    pub fn scalar(&mut self, c: f32) -> Value {
        self.push(
            Fill {
                shape: Vec::new(),
                value: c,
            },
            &[],
        )
    }
    /// A constant tensor.
    pub fn fill(&mut self, shape: &[usize], c: f32) -> Value {
        self.push(
            Fill {
                shape: shape.to_vec(),
                value: c,
            },
            &[],
        )
    }
    /// Coordinate along `dim` of every element of `shape`.
    pub fn coord(&mut self, shape: &[usize], dim: usize) -> Value {
        self.push(
            Coord {
                shape: shape.to_vec(),
                dim,
            },
            &[],
        )
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
            Self::Unary(op) => match op {
                Unary::Neg => -x[0],
                Unary::Exp => x[0].exp(),
                Unary::Log => x[0].ln(),
                Unary::Sqrt => x[0].sqrt(),
                Unary::Abs => x[0].abs(),
                Unary::Sin => x[0].sin(),
                Unary::Cos => x[0].cos(),
                Unary::Tanh => x[0].tanh(),
                Unary::Erf => libm::erf(x[0]),
                Unary::Floor => x[0].floor(),
            },
            Self::Binary(op) => match op {
                Binary::Add => x[0] + x[1],
                Binary::Sub => x[0] - x[1],
                Binary::Mul => x[0] * x[1],
                Binary::Div => x[0] / x[1],
                Binary::Max => x[0].max(x[1]),
                Binary::Min => x[0].min(x[1]),
                Binary::Pow => x[0].powf(x[1]),
                Binary::Eq => f64::from(u8::from(x[0] == x[1])),
                Binary::Lt => f64::from(u8::from(x[0] < x[1])),
            },
            Self::Scale(c) => x[0] * f64::from(c),
            Self::Offset(c) => x[0] + f64::from(c),
            Self::Select => {
                if x[0] != 0.0 {
                    x[1]
                } else {
                    x[2]
                }
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
            Self::Binary(Binary::Min) => "minimum",
            Self::Binary(Binary::Pow) => "pow",
            Self::Binary(Binary::Eq) => "eq",
            Self::Binary(Binary::Lt) => "lt",
            Self::Scale(_) => "scale",
            Self::Offset(_) => "offset",
            Self::Select => "select",
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
            Self::Unary(op) => vec![unary_grad(g, op, x[0], y, dy)],
            Self::Binary(op) => {
                let a = if ctx.needs[0] {
                    left_grad(g, op, x[0], x[1], y, dy)
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

fn unary_grad(g: &mut Graph, op: Unary, x: Value, y: Value, dy: Value) -> Option<Value> {
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
            let slope = g.scale(e, std::f32::consts::FRAC_2_SQRT_PI);
            g.mul(dy, slope)
        }
        Unary::Floor => return None,
    })
}

fn left_grad(g: &mut Graph, op: Binary, a: Value, b: Value, y: Value, dy: Value) -> Option<Value> {
    Some(match op {
        Binary::Add | Binary::Sub => dy,
        Binary::Mul => g.mul(dy, b),
        Binary::Div => g.div(dy, b),
        Binary::Max | Binary::Min => {
            let chosen = g.eq(a, y);
            g.mul(dy, chosen)
        }
        Binary::Pow => {
            // b·a^(b−1)
            let less = g.offset(b, -1.0);
            let p = g.pow(a, less);
            let slope = g.mul(b, p);
            g.mul(dy, slope)
        }
        Binary::Eq | Binary::Lt => return None,
    })
}

fn right_grad(g: &mut Graph, op: Binary, a: Value, b: Value, y: Value, dy: Value) -> Option<Value> {
    Some(match op {
        Binary::Add => dy,
        Binary::Sub => g.neg(dy),
        Binary::Mul => g.mul(dy, a),
        Binary::Div => {
            let ratio = g.div(y, b);
            let slope = g.neg(ratio);
            g.mul(dy, slope)
        }
        Binary::Max | Binary::Min => {
            let chosen = g.eq(a, y);
            let one = g.scalar(1.0);
            let other = g.sub(one, chosen);
            g.mul(dy, other)
        }
        Binary::Pow | Binary::Eq | Binary::Lt => return None,
    })
}

/// A constant in every element.
#[derive(Debug)]
struct Fill {
    shape: Vec<usize>,
    value: f32,
}

impl Op for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn infer(&self, _: &[Type]) -> Result<Vec<Type>, String> {
        Ok(vec![Type::f32(&self.shape)])
    }

    fn cpu(&self, _: &[&Tensor]) -> Vec<Tensor> {
        vec![Tensor::full(&self.shape, self.value)]
    }

    fn lower(&self, _: &[Type], outputs: &[Type]) -> Lowering {
        let mut expr = Expr::default();
        let value = expr.push(Scalar::Const(self.value));
        Lowering::Map(map(outputs[0].len(), Vec::new(), expr, value))
    }

    fn grad(&self, _: &mut Graph, _: &Gradient) -> Vec<Option<Value>> {
        Vec::new()
    }
}

/// Coordinates along one dimension.
#[derive(Debug)]
struct Coord {
    shape: Vec<usize>,
    dim: usize,
}

impl Op for Coord {
    fn name(&self) -> &'static str {
        "coord"
    }

    fn infer(&self, _: &[Type]) -> Result<Vec<Type>, String> {
        match self.dim < self.shape.len() {
            true => Ok(vec![Type::f32(&self.shape)]),
            false => Err(format!("dimension {} of shape {:?}", self.dim, self.shape)),
        }
    }

    fn cpu(&self, _: &[&Tensor]) -> Vec<Tensor> {
        let inner: usize = self.shape[self.dim + 1..].iter().product();
        let n = self.shape.iter().product();
        let at = |i: usize| (i / inner % self.shape[self.dim]) as f32;
        vec![Tensor::f32(&self.shape, (0..n).map(at).collect())]
    }

    fn lower(&self, _: &[Type], outputs: &[Type]) -> Lowering {
        let mut expr = Expr::default();
        let value = expr.push(Scalar::Leaf(0));
        let access = Access::Coord {
            shape: self.shape.clone(),
            dim: self.dim,
        };
        Lowering::Map(map(
            outputs[0].len(),
            vec![Leaf { buffer: 0, access }],
            expr,
            value,
        ))
    }

    fn grad(&self, _: &mut Graph, _: &Gradient) -> Vec<Option<Value>> {
        Vec::new()
    }
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
