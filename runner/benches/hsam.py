"""H-SAM's step of the workload `hsam` of `runner bench` in PyTorch: that of `sam_vit_b_samed.py` with both reference
decoders, noise and dropout as in its training, and the loss of both at the weights of the first epoch. With `--experts`
H-SAMora's: the encoder is that of `samora_stage2.py`.

    python runner/benches/hsam.py --device cpu --pixels 224 --blocks 2       # --size small
    python runner/benches/hsam.py --pixels 224 --batch 8 --precision f32 tf32 bf16
    python runner/benches/hsam.py --pixels 512 --batch 4 --precision f32 tf32 bf16 --experts
"""

import sam_vit_b_samed
import samora_stage2
from training_step import CLASSES, main, vit_b_parser
from decoder import decode_twice

RANK = 5
WEIGHTS = 0.4, 0.6
NOISE, DROPOUT = 0.2, 0.2


def decode(p, features):
    logits = decode_twice(p, features, classes=CLASSES, heads=8, mlp_dim=2048, noise=NOISE, dropout=DROPOUT)
    return list(zip(WEIGHTS, logits))


def build(args):
    if args.experts:
        return samora_stage2.with_decoder(args, decode)
    return sam_vit_b_samed.with_decoder(args, RANK, decode)


if __name__ == "__main__":
    made = vit_b_parser(__doc__)
    made.add_argument("--experts", action="store_true", help="H-SAMora's step")
    main(made, build)
