//! Products and attention by cooperative matrices, on an adapter that offers them; on others this is said and
//! nothing is tested.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attention;
mod products;

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use samora_engine::gpu::{Device, adapters};
use samora_engine::{DeviceOptions, Precision};
use samora_engine::{Graph, Init, Tensor, Value};

/// Devices stay open, and one test at a time has one: NVIDIA's driver 580 crashed when they came and went on
/// several threads.
static OPEN: Mutex<Vec<&'static Device>> = Mutex::new(Vec::new());

struct Held {
    device: &'static Device,
    _alone: MutexGuard<'static, Vec<&'static Device>>,
}

impl Deref for Held {
    type Target = Device;

    fn deref(&self) -> &Device {
        self.device
    }
}

/// `None`, with a line that says so, when no adapter offers cooperative matrices.
fn device(precision: Precision) -> Option<Held> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = open.iter().find(|d| d.precision() == precision).copied();
    let device = match found {
        Some(device) => device,
        None if adapters().iter().all(|a| a.summary.cooperative.is_err()) => {
            println!("no adapter offers cooperative matrices: {precision:?} is not tested");
            return None;
        }
        None => {
            let options = DeviceOptions {
                adapter: std::env::var("SAMORA_ADAPTER").ok(),
                precision,
                ..Default::default()
            };
            let device = Device::open(&options).unwrap_or_else(|e| panic!("{e}"));
            println!(
                "{} with {:?}",
                device.adapter.info.name, device.adapter.caps
            );
            open.push(Box::leak(Box::new(device)));
            open[open.len() - 1]
        }
    };
    Some(Held {
        device,
        _alone: open,
    })
}

/// Largest error, relative to the largest element wanted; NaN if any element is.
fn relative(got: &Tensor, want: &Tensor) -> f64 {
    let largest = want.as_f32().iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let pairs = got.as_f32().iter().zip(want.as_f32());
    let error = pairs.fold(0.0f64, |worst, (a, b)| {
        let error = (f64::from(*a) - f64::from(*b)).abs();
        match error.is_nan() {
            true => f64::NAN,
            false if worst.is_nan() => worst,
            false => worst.max(error),
        }
    });
    error / f64::from(largest)
}

fn normal(g: &mut Graph, name: &str, shape: &[usize]) -> Value {
    g.param(name, shape, Init::Normal(1.0))
}
