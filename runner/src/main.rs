//! The `runner` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    env_logger::init();
    ExitCode::from(samora_runner::cli::main())
}
