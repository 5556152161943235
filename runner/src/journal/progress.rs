//! Progress of a stage or command on standard error: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::heartbeat::Heartbeat;

/// Share of an epoch's time that may be waiting for data before the user is told.
const TOLERATED_WAITING: f32 = 0.05;
/// Longest silence where there is no terminal.
const SILENCE: Duration = Duration::from_secs(30);

/// Progress of one stage or command.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    count: Arc<Mutex<Count>>,
    /// Where there is no terminal to draw a bar on.
    heartbeat: Option<Heartbeat>,
}

/// What has been done.
#[derive(Debug)]
struct Count {
    name: String,
    /// Of what a step does several.
    unit: &'static str,
    units_per_step: usize,
    steps: usize,
    done: usize,
    started: Instant,
    first_step: usize,
    epoch: Epoch,
    /// Mean of the losses looked at in this epoch, or else of the last.
    loss: Option<f64>,
    has_warned: bool,
}

#[derive(Debug)]
struct Epoch {
    started: Instant,
    losses: f64,
    looks: usize,
    steps: usize,
    waited: Duration,
}

impl Progress {
    /// Starts a training stage of `steps` steps, of which `done` are behind it already.
    pub fn new(stage: &str, steps: usize, done: usize, images_per_step: usize) -> Self {
        Self::start(Count {
            name: stage.to_string(),
            unit: "images",
            units_per_step: images_per_step,
            steps,
            done,
            started: Instant::now(),
            first_step: done,
            epoch: Epoch::new(),
            loss: None,
            has_warned: false,
        })
    }

    /// Starts something that goes through `count` of `unit`, such as `volumes`, of which `done` are behind it.
    pub fn through(name: &str, count: usize, done: usize, unit: &'static str) -> Self {
        let progress = Self::new(name, count, done, 1);
        progress.count().unit = unit;
        progress
    }

    /// What came before was preparation: rates count from here, and `done` steps are behind the stage.
    pub fn prepared(&self, done: usize) {
        let mut count = self.count();
        (count.done, count.first_step) = (done, done);
        count.started = Instant::now();
        count.epoch = Epoch::new();
        self.bar.set_position(done as u64);
        self.bar.reset_eta();
    }

    /// Counts a finished step, with its loss where it was looked at.
    pub fn step(&self, loss: Option<f32>) {
        let mut count = self.count();
        count.step(loss);
        self.bar.inc(1);
        self.bar.set_message(count.message());
    }

    /// Adds steps to the end.
    pub fn prolong(&self, steps: usize) {
        self.count().steps += steps;
        self.bar.inc_length(steps as u64);
    }

    /// Counts time in which a step had to wait for its batch.
    pub fn waited(&self, time: Duration) {
        self.count().epoch.waited += time;
    }

    /// Share of the epoch's time until now that was such waiting, 0…1. The device may have been busy with
    /// earlier steps meanwhile, but it can only fall behind if the loader is slower.
    pub fn waiting_share(&self) -> f32 {
        self.count().epoch.waiting_share()
    }

    /// Prints the line of an epoch (counted from 1) and starts the next.
    pub fn epoch(&self, epoch: usize, epochs: usize, learning_rate: f32) {
        let lines = self.count().end_epoch(epoch, epochs, learning_rate);
        lines.iter().for_each(|line| self.line(line));
    }

    /// Prints a line above the bar.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.heard();
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn start(count: Count) -> Self {
        let bar = ProgressBar::new(count.steps as u64);
        let is_terminal = std::io::stderr().is_terminal();
        if !is_terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{prefix:<12} {bar:24} {pos}/{len}  {msg}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_prefix(count.name.clone());
        bar.set_position(count.done as u64);
        bar.reset_eta();
        let count = Arc::new(Mutex::new(count));
        let counted = Arc::clone(&count);
        let beat = move || eprintln!("{}", lock(&counted).line());
        let heartbeat = (!is_terminal).then(|| Heartbeat::start(SILENCE, beat));
        Self {
            bar,
            count,
            heartbeat,
        }
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        lock(&self.count)
    }
}

impl Count {
    fn step(&mut self, loss: Option<f32>) {
        self.done += 1;
        self.epoch.steps += 1;
        if let Some(loss) = loss {
            self.epoch.losses += f64::from(loss);
            self.epoch.looks += 1;
            self.loss = Some(self.epoch.losses / self.epoch.looks as f64);
        }
    }

    /// Loss and rate.
    fn message(&self) -> String {
        let loss = match self.loss {
            Some(loss) => format!("loss {loss:.4}  "),
            None => String::new(),
        };
        let units = (self.done - self.first_step) * self.units_per_step;
        let rate = rate(units, self.started.elapsed());
        format!("{loss}{rate:.1} {}/s", self.unit)
    }

    /// How far it is, and how much longer it will take.
    fn line(&self) -> String {
        let Self {
            name, done, steps, ..
        } = self;
        let what = match self.unit {
            "images" => format!("step {done}/{steps}"),
            unit => format!("{done}/{steps} {unit}"),
        };
        let since = done - self.first_step;
        if since == 0 {
            return format!("{name:<12} {what}, at work");
        }
        let per_step = self.started.elapsed().div_f64(since as f64);
        let left = per_step.mul_f64(steps.saturating_sub(*done) as f64);
        let (message, left) = (self.message(), duration(left));
        format!("{name:<12} {what}  {message}  {left} left")
    }

    /// The line of an epoch, and a warning if there is reason for one.
    fn end_epoch(&mut self, epoch: usize, epochs: usize, learning_rate: f32) -> Vec<String> {
        let waiting = self.epoch.waiting_share();
        let ended = std::mem::replace(&mut self.epoch, Epoch::new());
        if ended.steps == 0 {
            return Vec::new();
        }
        let seconds = ended.started.elapsed();
        let rate = rate(ended.steps * self.units_per_step, seconds);
        let loss = ended.losses / ended.looks.max(1) as f64;
        let name = &self.name;
        let mut lines = vec![format!(
            "{name:<12} epoch {epoch:>3}/{epochs}  loss {loss:.4}  lr {learning_rate:.2e}  \
             {rate:.1} images/s  {:.1} s  {:.1} % waiting",
            seconds.as_secs_f64(),
            100.0 * waiting,
        )];
        if waiting > TOLERATED_WAITING && !self.has_warned {
            self.has_warned = true;
            lines.push(format!(
                "warning: {name} waits for its data {:.0} % of the time; more processor cores, or the data \
                 and the run on a faster disk, would speed it up",
                100.0 * waiting,
            ));
        }
        lines
    }
}

impl Epoch {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            losses: 0.0,
            looks: 0,
            steps: 0,
            waited: Duration::ZERO,
        }
    }

    fn waiting_share(&self) -> f32 {
        let elapsed = self.started.elapsed().as_secs_f32();
        self.waited.as_secs_f32() / elapsed.max(1e-9)
    }
}

fn lock(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

fn rate(units: usize, time: Duration) -> f64 {
    units as f64 / time.as_secs_f64().max(1e-9)
}

/// A time to come in the largest units that say enough.
fn duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_step_loss_and_time_left() {
        let progress = Progress::new("finetune", 480, 100, 6);
        assert_eq!(
            progress.count().line(),
            "finetune     step 100/480, at work"
        );
        progress.step(Some(0.5));
        progress.step(None);
        {
            let mut count = progress.count();
            let begun = Instant::now().checked_sub(Duration::from_secs(4));
            count.started = begun.unwrap_or(count.started);
        }
        let line = progress.count().line();
        let whole = "finetune     step 102/480  loss 0.5000  3.0 images/s  13 min left";
        assert_eq!(line, whole);
        progress.epoch(1, 2, 1e-3);
        // An epoch that has just begun has no loss of its own yet.
        progress.step(None);
        assert!(progress.count().line().contains("loss 0.5000"));
    }

    #[test]
    fn other_work_counts_in_its_own_units() {
        let progress = Progress::through("check", 30, 0, "cases");
        progress.step(None);
        let line = progress.count().line();
        assert!(line.starts_with("check        1/30 cases  "), "{line}");
        assert!(line.contains(" cases/s  "), "{line}");
        assert!(line.ends_with(" left"), "{line}");
    }

    #[test]
    fn times_are_short() {
        let said = [5, 119, 150, 7199, 7260].map(|s| duration(Duration::from_secs(s)));
        assert_eq!(said, ["5 s", "119 s", "3 min", "120 min", "2 h 1 min"]);
    }
}
