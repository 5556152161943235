//! Whether programs that are not naga accept what naga writes: `spirv-val` (Debian's spirv-tools) for SPIR-V, and
//! `glslangValidator -D` (glslang-tools), another front end of HLSL.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::naga_check::Written;

/// A program that checks files.
struct FrontEnd {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Words of messages about what the program does not know, whatever the module, and what that is.
    unknown: &'static [(&'static str, &'static str)],
}

const SPIRV: FrontEnd = FrontEnd {
    name: "spirv-val",
    arguments: &["--target-env", "vulkan1.3"],
    unknown: &[(
        "Invalid capability operand: 6022",
        "cooperative matrices, which spirv-val knows from 2023.3 on",
    )],
};

const HLSL: FrontEnd = FrontEnd {
    name: "glslangValidator",
    arguments: &["-D", "-V", "-S", "comp", "-e", "main", "-o", "/dev/null"],
    unknown: &[(
        "'Load' : no such field",
        "buffers of f16, which naga reads by `Load<half>`",
    )],
};

/// What a program made of the modules that it was given.
#[derive(Debug)]
pub struct Report {
    program: &'static str,
    /// Whether it is installed.
    pub installed: bool,
    /// Modules given.
    pub given: usize,
    /// Of these, those it accepts.
    pub accepted: usize,
    /// Those that need what it does not know.
    pub unknown: BTreeMap<&'static str, usize>,
    /// What it says of those it refuses.
    pub refused: Vec<String>,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (program, given, accepted) = (self.program, self.given, self.accepted);
        if !self.installed {
            return write!(
                f,
                "{program} is not installed: {given} modules are not checked by it"
            );
        }
        write!(f, "{program} accepts {accepted} of {given} modules")?;
        for (what, modules) in &self.unknown {
            write!(f, "; {modules} are not checked by it: {what}")?;
        }
        Ok(())
    }
}

/// Gives the SPIR-V of named modules to spirv-val.
pub fn check_spirv<'a>(modules: impl Iterator<Item = &'a (String, Written)>) -> Report {
    let bytes = |written: &Written| written.spirv.iter().flat_map(|w| w.to_le_bytes()).collect();
    let files = modules.map(|(name, written)| (name.as_str(), bytes(written)));
    check(&SPIRV, files.collect())
}

/// Gives the HLSL of named modules to glslang.
pub fn check_hlsl<'a>(modules: impl Iterator<Item = &'a (String, Written)>) -> Report {
    let files = modules.filter_map(|(name, written)| {
        Some((name.as_str(), declared(written.hlsl.as_ref()?).into_bytes()))
    });
    check(&HLSL, files.collect())
}

/// HLSL without the zeros that arrays of an invocation start with: naga casts a 0 to an array, which glslang does not
/// know.
fn declared(hlsl: &str) -> String {
    let lines = hlsl.lines().map(|line| match line.split_once(" = (") {
        Some((declaration, value)) if value.ends_with("])0;") => format!("{declaration};\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// One process for each module, as many at a time as there are cores.
fn check(program: &FrontEnd, modules: Vec<(&str, Vec<u8>)>) -> Report {
    let mut report = Report {
        program: program.name,
        installed: installed(program.name),
        given: modules.len(),
        accepted: 0,
        unknown: BTreeMap::new(),
        refused: Vec::new(),
    };
    if !report.installed {
        return report;
    }
    let folder =
        std::env::temp_dir().join(format!("samora-{}-{}", program.name, std::process::id()));
    let taken = AtomicUsize::new(0);
    let work = || {
        let number = || taken.fetch_add(1, Ordering::Relaxed);
        let share = std::iter::from_fn(|| {
            let number = number();
            let (name, bytes) = modules.get(number)?;
            let file = folder.join(number.to_string());
            Some((*name, run(program, &file, bytes)))
        });
        share.collect::<Vec<_>>()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let created = std::fs::create_dir_all(&folder);
    let results: Vec<(&str, Result<(), String>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let results = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_default());
        results.flatten().collect()
    });
    if created.is_ok() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    for (name, result) in results {
        let Err(message) = result else {
            report.accepted += 1;
            continue;
        };
        let known = program
            .unknown
            .iter()
            .find(|(words, _)| message.contains(words));
        match known {
            Some((_, what)) => *report.unknown.entry(what).or_default() += 1,
            None => report.refused.push(format!("{name}: {message}")),
        }
    }
    report
}

fn installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok()
}

/// What the program says of a file, if it does not accept it.
fn run(program: &FrontEnd, file: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(file, bytes).map_err(|e| format!("{}: {e}", file.display()))?;
    let command = Command::new(program.name)
        .args(program.arguments)
        .arg(file)
        .stdin(Stdio::null())
        .output();
    let _ = std::fs::remove_file(file);
    let output = command.map_err(|e| e.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
                .trim()
                .to_string(),
        ),
    }
}
