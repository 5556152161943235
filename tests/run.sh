#!/bin/sh
# Formatting, lints, documentation and every test, on whatever adapter the machine has.
set -eu
cd "$(dirname "$0")/.."
sh tests/setup.sh
# Where these cannot be had, tests say so and go on; here they must be there.
[ "$(uname -s)" != Linux ] || export SAMORA_FRONT_ENDS=required
cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
exec cargo test --workspace
