"""Writes ../fixtures/gradients_*.safetensors: small SAMora models with their weights, an image, the
weights of a linear loss, logits, and the gradients of experts, HL-Attn and decoder by autograd.

    python gradients.py"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from decoder import decode
from hiera import sam2_encoder
from networks import Parameters, sam_encoder, tiny_vit_encoder

FIXTURES = Path(__file__).parent.parent / "fixtures"


def trained(name):
    parts = "samora_adapter", "mask_decoder.", "no_mask_embed", "no_mem_embed"
    return any(part in name for part in parts)


def write(name, size, encode):
    p = Parameters(seed=1)
    image = torch.rand(2, 3, size, size, generator=p.random).double()
    logits, quality = decode(p, *encode(p, image))
    of_logits = torch.randn(logits.shape, generator=p.random).double()
    of_quality = torch.randn(quality.shape, generator=p.random).double()
    ((logits * of_logits).sum() + (quality * of_quality).sum()).backward()
    tensors = dict(p)
    tensors |= {f"grad.{n}": t.grad for n, t in p.items() if trained(n)}
    tensors |= {
        "image": image.permute(0, 2, 3, 1),
        "logits": logits.permute(0, 2, 3, 1),
        "loss.logits": of_logits.permute(0, 2, 3, 1),
        "quality": quality,
        "loss.quality": of_quality,
    }
    tensors = {n: t.detach().float().contiguous() for n, t in tensors.items()}
    save_file(tensors, FIXTURES / f"gradients_{name}.safetensors")


write("sam_zero_start", 20, lambda p, x: sam_encoder(p, x, "zero_start")[:1])
write("sam_released", 20, lambda p, x: sam_encoder(p, x, "released")[:1])
write("sam2_zero_start", 64, lambda p, x: sam2_encoder(p, x, "zero_start"))
write("tiny_vit_zero_start", 20, lambda p, x: [tiny_vit_encoder(p, x, "zero_start", "pointwise")])
write("tiny_vit_released", 80, lambda p, x: [tiny_vit_encoder(p, x, "released", "halving")])
