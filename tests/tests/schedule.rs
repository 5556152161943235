//! A schedule is data: written and read again, it runs to the same bytes on the device that it is for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::num::NonZero;

use samora_engine::{Error, Phase, Planning, Remat, Schedule, Tensor, Value, gpu, native, plan};
use samora_tests::device;
use samora_tests::training::Training;

fn training() -> Training {
    Training::new(Remat::None, |_| true)
}

fn read_again(schedule: &Schedule) -> Schedule {
    let text = serde_json::to_string(schedule).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What two steps compute, by a program's step and what it reads.
fn run(
    training: &Training,
    mut step: impl FnMut(&[(&str, &Tensor)]),
    read: impl FnOnce(Value) -> Tensor,
) -> Vec<u8> {
    for number in 0..2 {
        let inputs = training.inputs(number);
        let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (*n, t)).collect();
        step(&inputs);
    }
    read(training.loss).bytes().to_vec()
}

#[test]
fn a_schedule_that_was_written_runs_to_the_same_bytes() {
    let training = training();
    let parameters = training.parameters();
    let planned = |planning: Planning| plan(&training.graph, &[training.loss], planning).unwrap();

    let processor = native::Device::new(NonZero::new(2)).unwrap();
    let schedule = processor.schedule(&training.graph, planned(processor.planning(true)));
    assert_eq!(read_again(&schedule), schedule);
    let bytes = [schedule.clone(), read_again(&schedule)].map(|schedule| {
        let program = native::Program::of(&processor, schedule, &parameters).unwrap();
        let program = std::cell::RefCell::new(program);
        let step = |inputs: &[(&str, &Tensor)]| program.borrow_mut().step(inputs).unwrap();
        run(&training, step, |v| program.borrow().read(v).unwrap())
    });
    assert_eq!(bytes[0], bytes[1]);

    let of_shaders = planned(device().planning(true));
    let of_shaders = device().schedule(&training.graph, of_shaders).unwrap();
    assert_eq!(read_again(&of_shaders), of_shaders);
    let bytes = [of_shaders.clone(), read_again(&of_shaders)].map(|schedule| {
        let program = gpu::Program::of(device(), schedule, &parameters).unwrap();
        let program = std::cell::RefCell::new(program);
        let step = |inputs: &[(&str, &Tensor)]| program.borrow_mut().step(inputs).unwrap();
        run(&training, step, |v| program.borrow().read(v).unwrap())
    });
    assert_eq!(bytes[0], bytes[1]);

    let error = gpu::Program::of(device(), schedule, &parameters).unwrap_err();
    assert!(matches!(error, Error::Plan(_)), "{error}");
}

#[test]
fn a_schedule_says_what_each_step_belongs_to() {
    let training = training();
    let planned = plan(&training.graph, &[training.loss], Planning::exact(true)).unwrap();
    let phases: Vec<Phase> = planned.steps.iter().map(|step| step.phase).collect();
    for phase in [Phase::Forward, Phase::Backward, Phase::Update] {
        assert!(phases.contains(&phase), "{phase:?} in {phases:?}");
    }
    assert_eq!(phases[0], Phase::Forward);
}
