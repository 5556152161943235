//! How long each kernel of a step takes.

use std::time::Instant;

use samora_shaders::{AttentionPass, Kernel};

use super::program::Program;
use crate::{Result, ScheduledStep, Tensor, Timed};

/// Steps that are timed.
const STEPS: usize = 3;

impl Program<'_> {
    /// Runs three steps and returns how long each kernel took, in order.
    ///
    /// # Errors
    /// As [`Program::step`].
    pub fn profile(&mut self, inputs: &[(&str, &Tensor)]) -> Result<Vec<Timed>> {
        let mut times = vec![[0.0; STEPS]; self.kernels.len()];
        for step in 0..STEPS {
            self.feed(inputs)?;
            let this = &*self;
            this.device.enter(|| {
                for (kernel, times) in times.iter_mut().enumerate() {
                    let begin = Instant::now();
                    this.run(kernel);
                    times[step] = begin.elapsed().as_secs_f64();
                }
            });
            self.copy();
        }
        let kernels = self.schedule.steps.iter().zip(times);
        let kernels = kernels.map(|(ScheduledStep { step, .. }, mut seconds)| {
            seconds.sort_by(f64::total_cmp);
            Timed {
                label: step.label.clone(),
                name: name(&step.kernel),
                seconds: seconds[STEPS / 2],
            }
        });
        Ok(kernels.collect())
    }
}

/// Family and shape of a kernel, for people.
fn name(kernel: &Kernel) -> String {
    match kernel {
        Kernel::Map(m) => format!("map {}", m.len),
        Kernel::Rows(r) => format!("rows {}x{}", r.rows.len(), r.cols.len()),
        Kernel::Gemm(g) => format!("gemm {}x{}x{}x{}", g.batch, g.m, g.n, g.k),
        Kernel::Attention(a) => {
            let pass = match a.pass {
                AttentionPass::Forward { .. } => "attention",
                AttentionPass::BackwardQ { .. } => "attention_dq",
                AttentionPass::BackwardKv { .. } => "attention_dkv",
            };
            format!("{pass} {}x{}x{}", a.batch, a.heads, a.head_dim)
        }
    }
}
