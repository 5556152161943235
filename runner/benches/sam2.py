"""The workload `sam2` of `runner bench` in PyTorch: the reference Hiera with three frozen LoRA experts, HL-Attn in every
block, and SAM 2's reference mask decoder with nine class tokens.

    python runner/benches/sam2.py --device cpu --pixels 224 --network small
    python runner/benches/sam2.py --batch 4 --network base_plus --precision f32 tf32 bf16
    python runner/benches/sam2.py --batch 4 --network large --precision f32 tf32 bf16
"""

from training_step import CLASSES, Drawn, main, parser
from decoder import decode
from hiera import sam2_encoder

NETWORKS = {
    "small": {"dim": 112, "depths": (1, 1, 2, 1), "sides": (8, 4, 14, 7), "global_blocks": (3,), "coarse": 14},
    "base_plus": {"dim": 112, "depths": (2, 3, 16, 3), "sides": (8, 4, 14, 7), "global_blocks": (12, 16, 20), "coarse": 14},
    "large": {"dim": 144, "depths": (2, 6, 36, 4), "sides": (8, 4, 16, 8), "global_blocks": (23, 33, 43), "coarse": 7},
}


def build(args):
    p = Drawn("mask_decoder", ".samora_adapter.fuser.")
    sizes = {"heads": 2, "out": 256, "mlp_ratio": 4, "rank": 4, **NETWORKS[args.network]}

    def forward(image):
        features = sam2_encoder(p, image, "zero_start", **sizes)
        return [(1, decode(p, *features, classes=CLASSES, heads=8, mlp_dim=2048)[0])]

    return forward, p.values


if __name__ == "__main__":
    made = parser(__doc__)
    made.add_argument("--network", choices=NETWORKS, default="base_plus")
    main(made, build)
