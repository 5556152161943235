//! Progress of a stage on standard error: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Share of an epoch's time that may be waiting for data before the user is told.
const TOLERATED_WAITING: f32 = 0.05;

/// Progress of one stage.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    images_per_step: usize,
    started: Instant,
    first_step: usize,
    epoch: Epoch,
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
}

impl Progress {
    /// Starts a stage of `steps` steps, of which `done` are behind it already.
    pub fn new(stage: &str, steps: usize, done: usize, images_per_step: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{prefix:<12} {bar:24} {pos}/{len}  {msg}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_prefix(stage.to_string());
        bar.set_position(done as u64);
        bar.reset_eta();
        Self {
            bar,
            images_per_step,
            started: Instant::now(),
            first_step: done,
            epoch: Epoch::new(),
            has_warned: false,
        }
    }

    /// Counts a finished step, with its loss where it was looked at.
    pub fn step(&mut self, loss: Option<f32>) {
        self.epoch.steps += 1;
        if let Some(loss) = loss {
            self.epoch.losses += f64::from(loss);
            self.epoch.looks += 1;
        }
        self.bar.inc(1);
        let steps = self.bar.position() as usize - self.first_step;
        let rate = rate(steps * self.images_per_step, self.started.elapsed());
        let loss = match self.epoch.looks {
            0 => String::new(),
            looks => format!("loss {:.4}  ", self.epoch.losses / looks as f64),
        };
        self.bar.set_message(format!("{loss}{rate:.1} images/s"));
    }

    /// Counts time in which a step had to wait for its batch.
    pub fn waited(&mut self, time: Duration) {
        self.epoch.waited += time;
    }

    /// Share of the epoch's time until now that was such waiting, 0…1. The device may have been busy with
    /// earlier steps meanwhile, but it can only fall behind if the loader is slower.
    pub fn waiting_share(&self) -> f32 {
        let elapsed = self.epoch.started.elapsed().as_secs_f32();
        self.epoch.waited.as_secs_f32() / elapsed.max(1e-9)
    }

    /// Prints the line of an epoch (counted from 1) and starts the next.
    pub fn epoch(&mut self, epoch: usize, epochs: usize, learning_rate: f32) {
        let waiting = self.waiting_share();
        let Epoch {
            started,
            losses,
            steps,
            looks,
            ..
        } = std::mem::replace(&mut self.epoch, Epoch::new());
        if steps == 0 {
            return;
        }
        let seconds = started.elapsed();
        let rate = rate(steps * self.images_per_step, seconds);
        let loss = losses / looks.max(1) as f64;
        self.line(&format!(
            "{:<12} epoch {epoch:>3}/{epochs}  loss {loss:.4}  lr {learning_rate:.2e}  \
             {rate:.1} images/s  {:.1} s  {:.1} % waiting",
            self.bar.prefix(),
            seconds.as_secs_f64(),
            100.0 * waiting,
        ));
        if waiting > TOLERATED_WAITING && !self.has_warned {
            self.has_warned = true;
            self.line(&format!(
                "warning: {} waits for its data {:.0} % of the time; more processor cores, or the data and \
                 the run on a faster disk, would speed it up",
                self.bar.prefix(),
                100.0 * waiting,
            ));
        }
    }

    /// Prints a line above the bar.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn rate(images: usize, time: Duration) -> f64 {
    images as f64 / time.as_secs_f64().max(1e-9)
}
