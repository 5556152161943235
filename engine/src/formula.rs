//! Writes scalar expressions of kernels the way formulas read.

use samora_shaders::{Binary, Expr, Id, Scalar, Unary};

/// An expression under construction. Every method appends a node and returns its id.
#[derive(Debug, Default)]
pub(crate) struct Formula(pub(crate) Expr);

impl Formula {
    pub(crate) fn leaf(&mut self, k: usize) -> Id {
        self.0.push(Scalar::Leaf(k))
    }
    pub(crate) fn reduced(&mut self, stage: usize) -> Id {
        self.0.push(Scalar::Reduced(stage))
    }
    pub(crate) fn constant(&mut self, c: f32) -> Id {
        self.0.push(Scalar::Const(c))
    }
    pub(crate) fn add(&mut self, a: Id, b: Id) -> Id {
        self.0.push(Scalar::Binary(Binary::Add, a, b))
    }
    pub(crate) fn sub(&mut self, a: Id, b: Id) -> Id {
        self.0.push(Scalar::Binary(Binary::Sub, a, b))
    }
    pub(crate) fn mul(&mut self, a: Id, b: Id) -> Id {
        self.0.push(Scalar::Binary(Binary::Mul, a, b))
    }
    pub(crate) fn div(&mut self, a: Id, b: Id) -> Id {
        self.0.push(Scalar::Binary(Binary::Div, a, b))
    }
    pub(crate) fn max(&mut self, a: Id, b: Id) -> Id {
        self.0.push(Scalar::Binary(Binary::Max, a, b))
    }
    pub(crate) fn lt(&mut self, a: Id, b: Id) -> Id {
        self.0.push(Scalar::Binary(Binary::Lt, a, b))
    }
    pub(crate) fn exp(&mut self, x: Id) -> Id {
        self.0.push(Scalar::Unary(Unary::Exp, x))
    }
    pub(crate) fn log(&mut self, x: Id) -> Id {
        self.0.push(Scalar::Unary(Unary::Log, x))
    }
    pub(crate) fn sqrt(&mut self, x: Id) -> Id {
        self.0.push(Scalar::Unary(Unary::Sqrt, x))
    }
    /// `if c ≠ 0 { a } else { b }`
    pub(crate) fn select(&mut self, c: Id, a: Id, b: Id) -> Id {
        self.0.push(Scalar::Select(c, a, b))
    }
}
