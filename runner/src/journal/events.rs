//! `events.jsonl`: one JSON object for each logged step, appended as it happens.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::json_lines;

/// The file in a run directory.
pub const EVENTS: &str = "events.jsonl";

/// One logged step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Name of the stage.
    pub stage: String,
    /// Step from 0.
    pub step: usize,
    /// Loss of this step's batch.
    pub loss: f32,
    /// Learning rate of this step.
    pub learning_rate: f32,
    /// Share of the epoch's time until then that the device waited for the loader, 0…1.
    #[serde(default)]
    pub waited: f32,
    /// Seconds since the Unix epoch.
    pub time: f64,
}

impl Event {
    /// An event that happens now.
    pub fn now(stage: &str, step: usize, loss: f32, learning_rate: f32, waited: f32) -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            stage: stage.into(),
            step,
            loss,
            learning_rate,
            waited,
            time: time.map_or(0.0, |t| t.as_secs_f64()),
        }
    }
}

/// The open file of events.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: File,
}

impl EventLog {
    /// Opens the log for appending. Events of `stage` from `from_step` on, which a run that was
    /// killed has logged but not saved, are dropped: those steps are run again.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn open(path: &Path, stage: &str, from_step: usize) -> Result<Self> {
        let kept = json_lines::read::<Event>(path)?
            .into_iter()
            .filter(|e| e.stage != stage || e.step < from_step);
        let lines: String = kept.map(|e| line(&e)).collect::<Result<_, _>>()?;
        let temporary = path.with_extension("partial");
        std::fs::write(&temporary, lines)
            .and_then(|()| std::fs::rename(&temporary, path))
            .map_err(|e| Error::file(path, "write", e))?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|e| Error::file(path, "write", e))?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }

    /// Appends one event.
    ///
    /// # Errors
    /// A full disk.
    pub fn append(&mut self, event: &Event) -> Result<()> {
        let line = line(event)?;
        self.file
            .write_all(line.as_bytes())
            .map_err(|e| Error::file(&self.path, "write", e))
    }

    /// The events of one stage, in order.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of_stage(&self, stage: &str) -> Result<Vec<Event>> {
        let mut events: Vec<Event> = json_lines::read(&self.path)?;
        events.retain(|e| e.stage == stage);
        Ok(events)
    }
}

/// Seconds that a step of a stage took, the median over its logged events in the run directory `run`: pauses count for
/// nothing. None where the stage was taken over from another run.
///
/// # Errors
/// A file that cannot be read.
pub fn seconds_per_step(run: &Path, stage: &str) -> Result<Option<f64>> {
    let mut events: Vec<Event> = json_lines::read(&run.join(EVENTS))?;
    events.retain(|e| e.stage == stage);
    let mut each: Vec<f64> = events
        .windows(2)
        .filter(|pair| pair[1].step > pair[0].step)
        .map(|pair| (pair[1].time - pair[0].time) / (pair[1].step - pair[0].step) as f64)
        .collect();
    each.sort_by(f64::total_cmp);
    Ok(each.get(each.len() / 2).copied())
}

fn line(event: &Event) -> Result<String> {
    let json = serde_json::to_string(event);
    json.map(|json| json + "\n")
        .map_err(|e| Error::file(Path::new("events.jsonl"), "write", e.into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn event(stage: &str, step: usize) -> Event {
        Event {
            stage: stage.into(),
            step,
            loss: 0.5 / (step + 1) as f32,
            learning_rate: 1e-3,
            waited: 0.25,
            time: 1.25,
        }
    }

    #[test]
    fn steps_that_will_run_again_are_dropped_and_half_lines_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut log = EventLog::open(&path, "a", 0).unwrap();
        for step in 0..4 {
            log.append(&event("a", step)).unwrap();
        }
        log.append(&event("b", 9)).unwrap();
        log.file.write_all(b"{\"stage\":\"a\",\"st").unwrap();
        drop(log);

        let mut log = EventLog::open(&path, "a", 2).unwrap();
        log.append(&event("a", 2)).unwrap();
        let expected: Vec<Event> = (0..3).map(|step| event("a", step)).collect();
        assert_eq!(log.of_stage("a").unwrap(), expected);
        assert_eq!(log.of_stage("b").unwrap(), [event("b", 9)]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
