#!/bin/sh
# Makes sure that this machine can run the tests: a C linker for Rust, the Vulkan loader and a driver (Mesa's software
# adapter serves machines without a GPU), and what emitted kernels are checked with: spirv-val, and glslang as another
# front end of HLSL. Installs what is missing with apt on Debian and Ubuntu, and asks before it uses sudo. Does nothing
# on macOS, where Metal is built in.
set -eu

[ "$(uname -s)" = Linux ] || exit 0
command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs" >&2; exit 1; }

missing=""
command -v cc >/dev/null || missing="gcc libc6-dev"
ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1' || missing="$missing libvulkan1"
ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json 2>/dev/null | grep -q . || missing="$missing mesa-vulkan-drivers"
command -v spirv-val >/dev/null || missing="$missing spirv-tools"
command -v glslangValidator >/dev/null || missing="$missing glslang-tools"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Missing:$missing (Debian's names). Install them with this system's package manager, then rerun." >&2
    exit 1
fi
echo "Installing: $missing" >&2
if [ "$(id -u)" = 0 ]; then
    as_root=""
else
    command -v sudo >/dev/null || { echo "Run as root: apt-get install $missing" >&2; exit 1; }
    printf 'This needs: sudo apt-get install %s\nContinue? [y/N] ' "$missing" >&2
    read -r answer || answer=n
    case "$answer" in y | Y | yes) as_root="sudo" ;; *) exit 1 ;; esac
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
