//! Batch normalisation (Ioffe and Szegedy 2015) over all leading axes, composed of other ops.

use crate::cases::{Case, operand, positive};
use crate::{Graph, Value};

impl Graph {
    /// Normalises `x [.., c]` by the mean and biased variance of this batch, then scales by `gamma`
    /// and shifts by `beta`, both `[c]`. Returns `(y, mean, variance)`.
    pub fn batch_norm(
        &mut self,
        x: Value,
        gamma: Value,
        beta: Value,
        eps: f32,
    ) -> (Value, Value, Value) {
        let leading: Vec<usize> = (1..self.shape(x).len()).map(|d| d - 1).collect();
        let mean = self.mean(x, &leading);
        let centred = self.sub(x, mean);
        let squared = self.square(centred);
        let var = self.mean(squared, &leading);
        let y = self.scale_centred(centred, [gamma, beta, var], eps);
        (y, mean, var)
    }

    /// `gamma·(x − mean)/√(var + eps) + beta` with given statistics, all `[c]`.
    pub fn batch_norm_inference(
        &mut self,
        x: Value,
        gamma: Value,
        beta: Value,
        mean: Value,
        var: Value,
        eps: f32,
    ) -> Value {
        let centred = self.sub(x, mean);
        self.scale_centred(centred, [gamma, beta, var], eps)
    }

    fn scale_centred(&mut self, x: Value, [gamma, beta, var]: [Value; 3], eps: f32) -> Value {
        let stable = self.offset(var, eps);
        let deviation = self.sqrt(stable);
        let factor = self.div(gamma, deviation);
        let scaled = self.mul(x, factor);
        self.add(scaled, beta)
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "batch norm in training",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 3, 5]);
            let (gamma, beta) = (operand(g, "gamma", &[5]), operand(g, "beta", &[5]));
            let (y, mean, var) = g.batch_norm(x, gamma, beta, 1e-5);
            vec![y, mean, var]
        },
    },
    Case {
        name: "batch norm with given statistics",
        build: |g| {
            let x = operand(g, "x", &[4, 5]);
            let (gamma, beta) = (operand(g, "gamma", &[5]), operand(g, "beta", &[5]));
            let (mean, var) = (operand(g, "mean", &[5]), positive(g, "var", &[5]));
            vec![g.batch_norm_inference(x, gamma, beta, mean, var, 1e-5)]
        },
    },
];
