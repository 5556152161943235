"""The workload `samora_stage2` of `runner bench` in PyTorch: the reference ViT-B with three frozen LoRA experts, HL-Attn in
every block, and the reference mask decoder with nine class tokens.

    python runner/benches/samora_stage2.py --device cpu --pixels 224 --blocks 2       # --size small
    python runner/benches/samora_stage2.py --pixels 224 --batch 32 --precision f32 tf32 bf16
    python runner/benches/samora_stage2.py --pixels 512 --batch 4 --precision f32 tf32 bf16
"""

from training_step import CLASSES, Drawn, main, vit_b_parser
from decoder import decode
from networks import sam_encoder

PATCH, WINDOW, GLOBAL_BLOCKS = 16, 14, (2, 5, 8, 11)
CHANNELS = 256  # of the neck


def vit_b(args):
    """Sizes of SAM's ViT-B. Of fewer blocks than twelve the last is global."""
    grid, count = args.pixels // PATCH, args.blocks or 12
    global_blocks = (count - 1,) if args.blocks else GLOBAL_BLOCKS
    windows = [grid if i in global_blocks else WINDOW for i in range(count)]
    return {"patch": PATCH, "dim": 768, "heads": 12, "windows_of_blocks": windows, "mlp_ratio": 4, "rank": 4}


def with_decoder(args, decode):
    p, sizes = Drawn("mask_decoder", ".samora_adapter.fuser."), vit_b(args)
    forward = lambda image: decode(p, sam_encoder(p, image, "zero_start", CHANNELS, **sizes)[0])
    return forward, p.values


def logits(p, features):
    return decode(p, features, classes=CLASSES, heads=8, mlp_dim=2048)[0]


def build(args):
    return with_decoder(args, lambda p, features: [(1, logits(p, features))])


if __name__ == "__main__":
    main(vit_b_parser(__doc__), build)
