"""The workload `samora_stage1` of `runner bench` in PyTorch: the reference ViT-B with one LoRA expert, and what teaches it:
SimCLR's ResNet on two views of each image, the masked autoencoder's encoder on a quarter of the patches, or the denoising
decoder. With fewer than twelve blocks the teachers are as small as `--size small` makes them.

    python runner/benches/samora_stage1.py --level image --device cpu --pixels 224 --blocks 2 --batch 2       # --size small
    python runner/benches/samora_stage1.py --level patch --pixels 224 --batch 16 --precision f32 tf32 bf16
"""

import torch
from torch.nn import functional as F

from samora_stage2 import CHANNELS, PATCH, vit_b
from training_step import Drawn, main, vit_b_parser
import denoise
import mae
import simclr
from networks import LEVELS, project, sam_encoder, sam_tokens

HIDDEN, KEPT = 2048, 0.25


def image_loss(p, args, image):
    views = image.repeat(2, 1, 1, 1)
    blocks = (1,) * 4 if args.blocks else (3, 4, 6, 3)
    with torch.no_grad():
        target = simclr.features(p, views, training=False, blocks=blocks, width=128)
    features, _ = sam_encoder(p, views, "image", CHANNELS, **vit_b(args))
    return F.mse_loss(project(p, features.mean((2, 3)), target.shape[1], HIDDEN), target)


def patch_loss(p, args, image):
    patches = (args.pixels // PATCH) ** 2
    ids_keep = torch.rand(len(image), patches).argsort(1)[:, : int(patches * KEPT)]
    with torch.no_grad():
        target = mae.encode(p, image, ids_keep, PATCH, dim=1024, depth=args.blocks or 24, heads=16)[:, 1:]
    tokens = sam_tokens(p, image, "patch", **vit_b(args))
    visible = tokens.gather(1, ids_keep[..., None].expand(-1, -1, tokens.shape[-1]))
    return F.mse_loss(project(p, visible, target.shape[-1], HIDDEN), target)


def pixel_loss(p, args, image):
    features, _ = sam_encoder(p, image, "pixel", CHANNELS, **vit_b(args))
    return denoise.loss(denoise.denoise(p, features, doublings=4), image.sigmoid())


LOSSES = {"image": image_loss, "patch": patch_loss, "pixel": pixel_loss}


def build(args):
    p = Drawn(".samora_adapter.", "projector.", "denoise_decoder.")
    return lambda image: LOSSES[args.level](p, args, image), p.values


if __name__ == "__main__":
    made = vit_b_parser(__doc__)
    made.add_argument("--level", choices=LEVELS, required=True)
    main(made, build, lambda _: lambda loss: loss)
