//! How long each kernel of a step takes, by the device's clock.

use super::program::Program;
use crate::{Error, Result, Tensor, Timed};

/// Steps that are timed.
const STEPS: usize = 3;
/// Kernels timed in one submission, with two times each: a query set of WebGPU holds 4096.
const KERNELS: usize = 2048;
/// Bytes of a time.
const TICK: u64 = 8;

impl Program<'_> {
    /// Runs three steps, each kernel in a pass of its own, and returns how long each took, in order. Copies to
    /// textures do not count.
    ///
    /// # Errors
    /// As [`Program::step`], or an adapter that cannot time kernels.
    pub fn profile(&mut self, inputs: &[(&str, &Tensor)]) -> Result<Vec<Timed>> {
        if !self.device.adapter.timestamps {
            return Err(Error::Adapter(format!(
                "{} cannot time kernels; leave out --profile, or choose another with --adapter",
                self.device.adapter.info.name
            )));
        }
        let mut times = vec![Vec::with_capacity(STEPS); self.dispatches.len()];
        for _ in 0..STEPS {
            let mut encoder = self.encoder();
            self.feed(inputs, &mut encoder)?;
            self.device.queue.submit([encoder.finish()]);
            self.upload.submitted();
            for first in (0..self.dispatches.len()).step_by(KERNELS) {
                let end = (first + KERNELS).min(self.dispatches.len());
                let timed = self.time(first..end)?;
                for (all, one) in times[first..end].iter_mut().zip(timed) {
                    all.push(one);
                }
            }
            let mut encoder = self.encoder();
            self.encode_copies(&mut encoder);
            self.device.queue.submit([encoder.finish()]);
        }
        let kernels = self.schedule.steps.iter().zip(&self.dispatches).zip(times);
        let kernels = kernels.map(|((step, dispatch), mut seconds)| {
            seconds.sort_by(f64::total_cmp);
            Timed {
                label: step.step.label.clone(),
                name: dispatch.name.clone(),
                seconds: seconds[seconds.len() / 2],
            }
        });
        Ok(kernels.collect())
    }

    /// Runs kernels and returns the seconds each took.
    fn time(&mut self, kernels: std::ops::Range<usize>) -> Result<Vec<f64>> {
        let device = self.device;
        let count = 2 * kernels.len() as u32;
        let queries = device.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("times of kernels"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let ticks = device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("times of kernels"),
            size: TICK * u64::from(count),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let mut encoder = self.encoder();
        for (query, kernel) in (0..count).step_by(2).zip(kernels) {
            let writes = wgpu::ComputePassTimestampWrites {
                query_set: &queries,
                beginning_of_pass_write_index: Some(query),
                end_of_pass_write_index: Some(query + 1),
            };
            self.encode(kernel..kernel + 1, &mut encoder, Some(writes));
        }
        encoder.resolve_query_set(&queries, 0..count, &ticks, 0);
        device.queue.submit([encoder.finish()]);
        let ticks: Vec<u32> = device.read(&ticks, 2 * count as usize)?;
        let ticks = ticks.chunks_exact(2);
        let ticks: Vec<u64> = ticks
            .map(|half| u64::from(half[0]) | u64::from(half[1]) << 32)
            .collect();
        let period = f64::from(device.queue.get_timestamp_period()) * 1e-9;
        let each = ticks.chunks_exact(2);
        Ok(each
            .map(|both| both[1].saturating_sub(both[0]) as f64 * period)
            .collect())
    }
}
