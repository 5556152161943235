"""The workload `sam_vit_b_samed` of `runner bench` in PyTorch: the image encoder of `transformers`, LoRA on q and v
of every block, and the reference mask decoder with nine class tokens.

    python runner/benches/sam_vit_b_samed.py --device cpu --pixels 224 --blocks 2       # --size small
    python runner/benches/sam_vit_b_samed.py --pixels 512 --batch 1 4 12 --precision f32 tf32 bf16
    python runner/benches/sam_vit_b_samed.py --pixels 512 --batch 1 --precision bf16 --compile
"""

import torch
from torch import nn
from transformers import SamVisionConfig
from transformers.models.sam.modeling_sam import SamVisionEncoder

from training_step import CLASSES, Drawn, main, vit_b_parser
from decoder import decode

DIM, RANK = 768, 4


class LoraQkv(nn.Module):
    def __init__(self, frozen, rank):
        super().__init__()
        self.frozen = frozen
        self.down = nn.ModuleList(nn.Linear(DIM, rank, bias=False) for _ in "qv")
        self.up = nn.ModuleList(nn.Linear(rank, DIM, bias=False) for _ in "qv")

    def forward(self, x):
        q, k, v = self.frozen(x).chunk(3, dim=-1)
        dq, dv = (up(down(x)) for down, up in zip(self.down, self.up))
        return torch.cat([q + dq, k, v + dv], dim=-1)


def encoder(args, rank):
    """SAM's ViT-B, frozen, with LoRA."""
    config = SamVisionConfig(image_size=args.pixels, attn_implementation="sdpa")
    if args.blocks:
        config.num_hidden_layers, config.global_attn_indexes = args.blocks, [args.blocks - 1]
    network = SamVisionEncoder(config)
    network.requires_grad_(False)
    for layer in network.layers:
        layer.attn.qkv = LoraQkv(layer.attn.qkv, rank)
    return network


def with_decoder(args, rank, decode):
    network = encoder(args, rank)
    p = Drawn("mask_decoder", "no_mask_embed")
    forward = lambda image: decode(p, network(image).last_hidden_state)
    return forward, lambda: [*network.parameters(), *p.values()]


def build(args):
    return with_decoder(args, RANK, lambda p, x: [(1, decode(p, x, classes=CLASSES, heads=8, mlp_dim=2048)[0])])


if __name__ == "__main__":
    main(vit_b_parser(__doc__), build)
