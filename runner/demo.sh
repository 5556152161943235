#!/bin/sh
# Builds the runner and runs the demo pipeline, from nothing to a result table.
set -eu
cd "$(dirname "$0")/.."
sh runner/setup.sh
# Mesa complains of a missing one on headless machines.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"
exec cargo run --release --bin runner -- pipelines/demo.ron "$@"
