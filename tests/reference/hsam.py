"""Writes ../fixtures/hsam_{224,512}.safetensors: H-SAM's own modules in small sizes, with their weights, an
image, labels, parts of the logits of both decoders, the losses of two epochs, and gradients by autograd. What
has no effect (attention between classes, predictions of quality, prompts) runs there and is not written.

    python hsam.py H-SAM

H-SAM is a checkout of https://github.com/Cccccczh404/H-SAM at 5bdf491."""

import importlib
import sys
from functools import partial
from pathlib import Path
from unittest.mock import MagicMock

import torch
from safetensors.torch import save_file
from torch.nn import CrossEntropyLoss, LayerNorm

FIXTURES = Path(__file__).parent.parent / "fixtures"
CLASSES, DIM, HEADS, MLP = 3, 48, 4, 32
DEAD = ("med_sel", "mask_decoder2.self_attn", "mask_decoder2.norm", "mask_decoder2.mlp", "mask_decoder2.iou",
        "point_embed", "not_a_point", "mask_downscaling", "prompt_encoder2")
UNUSED_NORMS = tuple(f"cross_attn_{way}.norm" for way in ("token_to_image", "image_to_token"))


def original(name):
    """A module of H-SAM; what it imports without need and is not installed is replaced."""
    while True:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            sys.modules[error.name] = MagicMock()


def build(image_size, rank):
    modeling = original("segment_anything.modeling")
    grid = image_size // 16
    decoder, decoder2 = (getattr(modeling, f"{name}_{image_size}") for name in ("MaskDecoder", "MaskDecoder2"))
    sizes = {"depth": 2, "embedding_dim": DIM, "mlp_dim": MLP, "num_heads": HEADS}
    heads = {"num_multimask_outputs": CLASSES - 1, "transformer_dim": DIM, "iou_head_hidden_dim": DIM}
    sam = modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            depth=2, embed_dim=16, img_size=image_size, mlp_ratio=2, norm_layer=partial(LayerNorm, eps=1e-6),
            num_heads=2, patch_size=16, qkv_bias=True, use_rel_pos=True, global_attn_indexes=[1], window_size=9,
            out_chans=DIM),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=DIM, image_embedding_size=(grid, grid), input_image_size=(image_size, image_size),
            mask_in_chans=16),
        mask_decoder=decoder(transformer=modeling.TwoWayTransformer(**sizes), **heads),
        mask_decoder2=decoder2(transformer2=modeling.TwoWayTransformer2(**sizes), **heads),
        pixel_mean=[0, 0, 0], pixel_std=[1, 1, 1])
    return original("sam_lora_image_encoder").LoRA_Sam(sam, rank)


def randomise(model, generator):
    """Numbers that f16 holds, so that the fixture can."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if "pixel_" in name:
            continue
        value = torch.randn(tensor.shape, generator=generator)
        if tensor.dim() == 1:
            value = 0.3 * value + (1 if name.endswith("weight") else 0)
        elif "embed" not in name and "tokens" not in name and "gaussian" not in name:
            inputs = tensor.shape[0] if tensor.dim() == 4 and tensor.shape[2] == 2 else tensor[0].numel()
            value = value * (1.4 / inputs**0.5)
        tensor.data.copy_(value.half())


def plain(name):
    name = name.removeprefix("sam.")
    return name.replace("attn.qkv.qkv.", "attn.qkv.")


def write(image_size, rank, batch, step):
    generator = torch.Generator().manual_seed(image_size)
    model = build(image_size, rank)
    randomise(model, generator)
    model = model.double().eval()
    positions = model.sam.prompt_encoder.pe_layer
    encode = positions._pe_encoding
    positions._pe_encoding = lambda at: encode(at.double())

    grey = torch.randint(256, (batch, image_size, image_size), generator=generator).to(torch.uint8)
    image = grey.double()[:, None].expand(-1, 3, -1, -1) / 256
    cells = torch.randint(CLASSES, (batch, image_size // 32, image_size // 32), generator=generator)
    full = cells.repeat_interleave(32, 1).repeat_interleave(32, 2)
    full[:, 5:37, 9:80] = 1
    low = full[:, ::4, ::4]
    first, second, _, _ = model(image, True, image_size, gt=None, mode="test")
    dice, entropy = original("utils").DiceLoss(CLASSES), CrossEntropyLoss()
    losses = [0.2 * entropy(out["low_res_logits"], label) + 0.8 * dice(out["low_res_logits"], label, softmax=True)
              for out, label in ((first, low), (second, full))]
    totals = [(1 - w) * losses[0] + w * losses[1] for w in (0.6 ** (0.990**epoch) for epoch in (0, 29))]
    totals[1].backward()
    mean = (first["masks"] + second["masks"]) / 2
    print(image_size, *(f"{x.item():.4f}" for x in (*losses, *totals)),
          *(f"{out['low_res_logits'].std().item():.2f}" for out in (first, second)))

    tensors = {"grey": grey, "low_label": low.flatten().to(torch.uint8), "full_label": full.flatten().to(torch.uint8)}
    for name, tensor in model.state_dict().items():
        name = plain(name)
        if not any(part in name for part in (*DEAD, *UNUSED_NORMS)) or name.startswith("image_encoder"):
            tensors[name] = tensor.half()
    for name, parameter in model.named_parameters():
        name = plain(name)
        # The softmax cancels biases of keys: their gradients are zero, or what rounding leaves.
        vector = parameter.dim() == 1 and "k_proj" not in name
        wanted = image_size == 224 or vector or "linear_" in name or "tokens" in name
        if name in tensors and parameter.grad is not None and wanted:
            tensors[f"grad.{name}"] = parameter.grad.float()
    for name, logits in (("low", first["low_res_logits"]), ("full", second["low_res_logits"]), ("mean", mean)):
        logits = logits.permute(0, 2, 3, 1)
        every = step if name == "low" else 4 * step + 1
        tensors[name] = logits[:, ::every, ::every].float()
    tensors["losses"] = torch.stack([*losses, *totals]).float()
    tensors = {n: t.detach().contiguous() for n, t in tensors.items()}
    save_file(tensors, FIXTURES / f"hsam_{image_size}.safetensors")


sys.path.insert(0, sys.argv[1])
write(224, rank=5, batch=2, step=2)
write(512, rank=4, batch=1, step=3)
