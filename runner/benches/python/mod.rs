//! A Python process beside a benchmark, which does the same work.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The running process.
pub(crate) struct Python {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// Starts `script` of the folder `benches` in `folder`, if `SAMORA_PYTHON` names a Python.
    pub(crate) fn start(script: &str, arguments: &[String], folder: &Path) -> Option<Self> {
        let program = std::env::var_os("SAMORA_PYTHON")?;
        let mut child = Command::new(program)
            .arg(
                Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("benches")
                    .join(script),
            )
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python that SAMORA_PYTHON names");
        let requests = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self {
            child,
            requests,
            answers,
        })
    }

    /// Seconds it took, and the values.
    pub(crate) fn ask(&mut self, what: &str) -> (f64, Vec<f64>) {
        writeln!(self.requests, "{what}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let numbers: Vec<f64> = line
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        let (seconds, values) = numbers.split_first().expect("an answer from Python");
        (*seconds, values.to_vec())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The middle value.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
