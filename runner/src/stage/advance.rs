//! How far a training stage is: a batch whose gradients overflowed is no step, and is made up for by one more.

use std::ops::Range;

use crate::error::{Error, Result};

/// Batches of a stage and the steps taken with them.
#[derive(Debug)]
pub(super) struct Advance {
    /// Steps that the stage takes.
    steps: usize,
    /// Batches gone through.
    done: usize,
    /// Batches to go through as far as is known.
    end: usize,
    /// Steps taken up to the last look.
    taken: Option<usize>,
}

impl Advance {
    /// Of a stage of so many steps that has gone through `done` batches.
    pub(super) fn new(steps: usize, done: usize) -> Self {
        Self {
            steps,
            done,
            end: steps.max(done),
            taken: None,
        }
    }

    /// Batches gone through, which is the number of the next one.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// The batches that lie ahead as far as is known.
    pub(super) fn ahead(&self) -> Range<usize> {
        self.done..self.end
    }

    /// Whether the next batch is the last as far as is known.
    pub(super) fn is_last(&self) -> bool {
        self.done + 1 == self.end
    }

    /// Counts a batch.
    pub(super) fn count(&mut self) {
        self.done += 1;
    }

    /// Looks at whether steps are taken at all: `taken` in all of the stage, with the loss scaled by `scale` now.
    ///
    /// # Errors
    /// None was taken since the last look, although the loss is not scaled any more.
    pub(super) fn look(&mut self, stage: &str, (taken, scale): (usize, f64)) -> Result<()> {
        let is_stuck = self.taken == Some(taken) && taken < self.steps;
        self.taken = Some(taken);
        if !is_stuck || scale > 1.0 {
            return Ok(());
        }
        let problem = "the gradients are no numbers, however the loss is scaled; lower the learning rate, or \
                       use `precision: Exact`, which has no limit at 65504";
        Err(Error::Training {
            stage: stage.into(),
            step: self.done,
            problem: problem.into(),
        })
    }

    /// Adds a batch for each step that is missing after all batches, by the last look, and returns how many.
    pub(super) fn make_up(&mut self) -> usize {
        let missing = self.steps.saturating_sub(self.taken.unwrap_or(self.done));
        self.end = self.done + missing;
        missing
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A device on which the gradients of some batches overflow.
    #[derive(Clone, Default)]
    struct Device {
        /// The batches it was given.
        batches: Vec<usize>,
        taken: usize,
    }

    impl Device {
        /// Goes through a stage as [`super::super::train::train`] does, or through `most` batches of it.
        fn train(&mut self, steps: usize, overflows: impl Fn(usize) -> bool, most: usize) {
            let mut advance = Advance::new(steps, self.batches.len());
            for _ in 0..most {
                if advance.ahead().is_empty() {
                    advance.look("stage", (self.taken, 65536.0)).unwrap();
                    if advance.make_up() == 0 {
                        return;
                    }
                }
                let batch = advance.ahead().start;
                self.batches.push(batch);
                self.taken += usize::from(!overflows(batch));
                advance.count();
                assert_eq!(advance.done(), self.batches.len());
            }
        }
    }

    const ALL: usize = 1000;

    #[test]
    fn a_stage_takes_as_many_steps_as_it_declares() {
        let never: fn(usize) -> bool = |_| false;
        let first: fn(usize) -> bool = |batch| batch < 3;
        // Of the batches that are made up, too.
        let third: fn(usize) -> bool = |batch| batch % 3 == 1;
        let last: fn(usize) -> bool = |batch| (9..14).contains(&batch);
        for (overflows, batches) in [(never, 10), (first, 13), (third, 15), (last, 15)] {
            let mut device = Device::default();
            device.train(10, overflows, ALL);
            assert_eq!(device.taken, 10);
            assert_eq!(device.batches, (0..batches).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_stage_that_was_stopped_goes_through_the_same_batches() {
        let overflows = |batch: usize| batch % 3 == 1 || (9..12).contains(&batch);
        let mut whole = Device::default();
        whole.train(10, overflows, ALL);
        assert!(whole.batches.len() > 13, "{:?}", whole.batches);
        for stop in 0..=whole.batches.len() {
            let mut device = Device::default();
            device.train(10, overflows, stop);
            assert_eq!(device.batches.len(), stop);
            device.train(10, overflows, ALL);
            assert_eq!(device.batches, whole.batches, "stopped after {stop}");
            assert_eq!(device.taken, 10, "stopped after {stop}");
        }
    }

    #[test]
    fn the_last_batch_is_known_as_far_as_batches_are() {
        let mut advance = Advance::new(2, 0);
        assert!(!advance.is_last());
        advance.count();
        assert!(advance.is_last());
        advance.count();
        advance.look("stage", (0, 2.0)).unwrap();
        assert_eq!((advance.make_up(), advance.ahead()), (2, 2..4));
        assert!(!advance.is_last());
    }

    #[test]
    fn a_stage_that_takes_no_steps_ends_once_the_loss_is_not_scaled() {
        let mut advance = Advance::new(10, 4);
        advance.look("stage", (3, 1.0)).unwrap();
        // Smaller gradients may still be numbers.
        advance.look("stage", (3, 2.0)).unwrap();
        let stuck = advance.look("stage", (3, 1.0)).unwrap_err().to_string();
        assert!(stuck.contains("stage stage, step 4"), "{stuck}");
        // A step was taken; and there is none to take any more.
        advance.look("stage", (4, 1.0)).unwrap();
        advance.look("stage", (10, 1.0)).unwrap();
        advance.look("stage", (10, 1.0)).unwrap();
    }
}
