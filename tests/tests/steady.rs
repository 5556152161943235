//! A program allocates when it is made, not in its steps.
#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::num::NonZero;

use samora_engine::{Remat, Tensor, native, plan};
use samora_tests::training::Training;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Steps that are watched, and bytes that they may allocate together: rayon's queues grow now and then.
const STEPS: usize = 50;
const QUEUES: usize = 64 << 10;

#[test]
fn steps_on_the_processor_allocate_nothing() {
    let device = native::Device::new(NonZero::new(2)).unwrap();
    let training = Training::new(Remat::None, |_| true);
    let planned = plan(&training.graph, &[training.loss], device.planning(true)).unwrap();
    let parameters = training.parameters();
    let mut program = native::Program::new(&device, &training.graph, planned, &parameters).unwrap();
    let inputs = training.inputs(0);
    let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (*n, t)).collect();
    for _ in 0..20 {
        program.step(&inputs).unwrap();
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..STEPS {
        program.step(&inputs).unwrap();
    }
    let change = region.change();
    println!("{change:?}");
    assert!(change.bytes_allocated <= QUEUES, "{change:?}");
}
