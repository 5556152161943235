#!/bin/sh
# The workloads of `runner bench` beside other engines, in turn, so that all share what else the machine does: the small
# ones on the CPU, PyTorch eager and compiled and with as many threads as it takes by itself, or on a GPU those that train
# the whole network:
#
#     PYTHON=python3 sh runner/benches/peers.sh              # small, on the CPU
#     PYTHON=python3 SIZE=full sh runner/benches/peers.sh    # on an NVIDIA GPU
#
# PYTHON has PyTorch, for ViT-B with LoRA and a decoder transformers, and for `predict` nibabel and scipy; BURN_W1,
# CANDLE_W1 and MEGANEURA_W1 are programs that read W1_BLOCKS, W1_TOKENS, W1_BATCHES and W1_DTYPES (all f32 on the CPU) and
# print a line for each case. Those that are not set are left out. ROUNDS is 3 unless set.
set -eu
cd "$(dirname "$0")/../.."
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"
size="${SIZE:-small}"
cargo build --release --quiet -p samora-runner

samora() {
    cargo run --release --quiet --bin runner -- "$@"
}

# With further arguments of `runner bench`.
runner() {
    workload="$1" precision="$2"
    shift 2
    samora bench "$workload" --size "$size" --precision "$precision" --tune write "$@" ||
        echo "runner $workload $precision: failed"
}

torch() {
    if [ -n "${PYTHON:-}" ]; then
        workload="$1"
        shift
        "$PYTHON" "runner/benches/$workload.py" "$@" || echo "torch $workload $*: failed"
    fi
}

both() {
    torch "$@"
    torch "$@" --compile
}

peer() {
    if [ -n "$1" ]; then
        W1_DTYPES="$2" "$1" || echo "$1: failed"
    fi
}

case "$size" in
    small)
        export W1_BLOCKS=2 W1_TOKENS=196 W1_BATCHES=1 W1_ITERS=5 W1_WARMUP=3
        burn_dtypes=f32 meganeura_dtypes=f32
        unset OMP_NUM_THREADS
        scans="$(mktemp -d)"
        trap 'rm -r "$scans"' EXIT
        samora phantom --layout folder --cases 1 --shape 128,128,16 --out "$scans"
        ;;
    full)
        export W1_BLOCKS=12 W1_TOKENS=1024 W1_BATCHES=1,4,12
        burn_dtypes=f32,f16 meganeura_dtypes=f32,auto,f16coop
        ;;
    *)
        echo "SIZE is small or full, not $size" >&2
        exit 2
        ;;
esac
for round in $(seq "${ROUNDS:-3}"); do
    echo "== round $round"
    if [ "$size" = small ]; then
        for workload in vit_b_lora sam_vit_b_samed samora_stage2 samora_stage1 hsam sam2 predict; do
            runner "$workload" exact --adapter CPU
            network="--device cpu --pixels 224 --blocks 2"
            case "$workload" in
                vit_b_lora) both vit_b_lora --blocks 2 --tokens 196 ;;
                sam_vit_b_samed | samora_stage2) both "$workload" $network ;;
                samora_stage1)
                    for level in image patch pixel; do
                        both samora_stage1 --level "$level" --batch 2 $network
                    done
                    ;;
                hsam)
                    both hsam $network
                    both hsam --experts $network
                    ;;
                sam2) both sam2 --device cpu --pixels 224 --network small ;;
                predict) both predict "$scans/images/phantom_001.nii.gz" $network ;;
            esac
        done
    else
        for workload in vit_b_lora sam_vit_b_samed; do
            for precision in exact split half; do
                runner "$workload" "$precision"
            done
            torch "$workload" --device cuda --batch 1 4 12 --precision f32 tf32 bf16
            torch "$workload" --device cuda --batch 1 4 12 --precision bf16 --compile
        done
        torch sam_vit_b_samed --device cuda --pixels 1024 --batch 1 4 --precision f32 tf32 bf16
        for workload in hsam sam2; do
            for precision in exact split half; do
                runner "$workload" "$precision"
            done
        done
        torch hsam --device cuda --pixels 224 --batch 8 --precision f32 tf32 bf16
        torch hsam --device cuda --pixels 512 --batch 4 --precision f32 tf32 bf16
        for network in base_plus large; do
            torch sam2 --device cuda --network "$network" --batch 4 --precision f32 tf32 bf16
        done
    fi
    peer "${BURN_W1:-}" "$burn_dtypes"
    peer "${CANDLE_W1:-}" f32
    peer "${MEGANEURA_W1:-}" "$meganeura_dtypes"
done
