"""H-SAM's step of the workload `hsam` of `runner bench` in PyTorch: that of `sam_vit_b_samed.py` with both reference
decoders, noise and dropout as in its training, and the loss of both at the weights of the first epoch.

    python runner/benches/hsam.py --device cpu --pixels 224 --blocks 2       # --size small
    python runner/benches/hsam.py --pixels 224 --batch 8 --precision f32 tf32 bf16
    python runner/benches/hsam.py --pixels 512 --batch 4 --precision f32 tf32 bf16
"""

from sam_vit_b_samed import vit_b_parser, with_decoder
from training_step import CLASSES, main
from decoder import decode_twice

RANK = 5
WEIGHTS = 0.4, 0.6
NOISE, DROPOUT = 0.2, 0.2


def decode(p, features):
    logits = decode_twice(p, features, classes=CLASSES, heads=8, mlp_dim=2048, noise=NOISE, dropout=DROPOUT)
    return list(zip(WEIGHTS, logits))


if __name__ == "__main__":
    main(vit_b_parser(__doc__), lambda args: with_decoder(args, RANK, decode))
