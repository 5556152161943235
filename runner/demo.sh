#!/bin/sh
# Builds the runner and runs the demo pipeline, from nothing to a result table.
set -eu
cd "$(dirname "$0")/.."
sh runner/setup.sh
exec cargo run --release --bin runner -- pipelines/demo.ron "$@"
