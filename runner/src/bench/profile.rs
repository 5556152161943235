//! Where the time of a step goes: by kernel, by scope, and as a trace.

use std::collections::BTreeMap;
use std::path::Path;

use samora_engine::Step;
use serde_json::json;

use crate::error::{Error, Result};
use crate::journal::{Table, alike};
use crate::whole_file::write_whole;

/// Rows of a table.
const LISTED: usize = 24;

/// The most expensive kernels, equal ones together, with their rates.
pub fn by_kernel(profile: &[(Step, String, f64)]) -> Table {
    struct Equal<'a> {
        times: usize,
        seconds: f64,
        flops: u64,
        bytes: u64,
        label: &'a str,
    }
    let mut by_name: BTreeMap<&str, Equal<'_>> = BTreeMap::new();
    for (step, name, seconds) in profile {
        let equal = by_name.entry(name).or_insert(Equal {
            times: 0,
            seconds: 0.0,
            flops: 0,
            bytes: 0,
            label: &step.label,
        });
        equal.times += 1;
        equal.seconds += seconds;
        equal.flops += step.flops;
        equal.bytes += step.bytes;
    }
    let total = total(profile);
    let mut rows: Vec<_> = by_name.into_iter().collect();
    rows.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    let mut table = Table::new(&[
        "kernel",
        "times",
        "ms",
        "share",
        "GFLOP/s",
        "GB/s",
        "first used by",
    ]);
    for (name, equal) in rows.into_iter().take(LISTED) {
        let rate = |work: u64| match work {
            0 => "–".to_string(),
            _ => format!("{:.1}", work as f64 / equal.seconds / 1e9),
        };
        table.row([
            name.to_string(),
            equal.times.to_string(),
            format!("{:.2}", equal.seconds * 1e3),
            format!("{:.1} %", 100.0 * equal.seconds / total),
            rate(equal.flops),
            rate(equal.bytes),
            equal.label.to_string(),
        ]);
    }
    table
}

/// The most expensive scopes; blocks of the same kind are one scope.
pub fn by_scope(profile: &[(Step, String, f64)]) -> Table {
    let mut by_scope: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for (step, _, seconds) in profile {
        let (scope, backward) = scope(&step.label);
        by_scope.entry(scope).or_default()[usize::from(backward)] += seconds;
    }
    let total = total(profile);
    let mut rows: Vec<_> = by_scope.into_iter().collect();
    rows.sort_by(|a, b| (b.1[0] + b.1[1]).total_cmp(&(a.1[0] + a.1[1])));
    let mut table = Table::new(&["scope", "forward ms", "backward ms", "share"]);
    for (scope, [forward, backward]) in rows.into_iter().take(LISTED) {
        table.row([
            scope,
            format!("{:.2}", forward * 1e3),
            format!("{:.2}", backward * 1e3),
            format!("{:.1} %", 100.0 * (forward + backward) / total),
        ]);
    }
    table
}

/// Writes the kernels one after the other as a trace that Chrome and Perfetto show.
///
/// # Errors
/// The file cannot be written.
pub fn write_trace(profile: &[(Step, String, f64)], path: &Path) -> Result<()> {
    let mut begin = 0.0;
    let mut events = Vec::with_capacity(profile.len());
    for (step, name, seconds) in profile {
        events.push(json!({
            "name": name,
            "cat": scope(&step.label).0,
            "ph": "X",
            "ts": begin * 1e6,
            "dur": seconds * 1e6,
            "pid": 1,
            "tid": 1,
            "args": {"label": step.label, "flops": step.flops, "bytes": step.bytes},
        }));
        begin += seconds;
    }
    let text = json!({"traceEvents": events, "displayTimeUnit": "ms"}).to_string();
    write_whole(path, text.as_bytes()).map_err(|e| Error::file(path, "write", e))
}

fn total(profile: &[(Step, String, f64)]) -> f64 {
    profile.iter().map(|kernel| kernel.2).sum()
}

/// The scope of a kernel's label with numbers as `*`, and whether it belongs to the backward pass.
fn scope(label: &str) -> (String, bool) {
    let path = label.split(' ').next().unwrap_or_default();
    let (path, backward) = alike(path);
    let scope = path.rsplit_once('.').map_or("(top)", |(scope, _op)| scope);
    (scope.into(), backward)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_blocks_are_one_scope() {
        let cases = [
            ("blocks.3.attn.qkv.matmul +1", "blocks.*.attn.qkv", false),
            ("blocks.11.attn.backward.matmul", "blocks.*.attn", true),
            ("backward.sum", "(top)", true),
            ("sum +2", "(top)", false),
        ];
        for (label, name, backward) in cases {
            assert_eq!(scope(label), (name.to_string(), backward), "{label}");
        }
    }
}
