"""The mask decoder of SAM and SAM 2 in PyTorch, without prompts and with one mask token per class."""

import math

import torch
import torch.nn.functional as F

from networks import merge_heads, split_heads

EPS = 1e-5  # of LayerNorm in the original code's two-way transformer


def decode(p, features, fine=None, classes=3, heads=2, mlp_dim=20):
    """Logits [b, classes, 4h, 4w] and qualities [b, classes] of features [b, c, h, w]; SAM 2's with its `fine`
    features."""
    b, dim, grid, _ = features.shape
    gaussian = p.get("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", 2, dim // 2)
    at = (torch.arange(grid, dtype=gaussian.dtype) + 0.5) / grid
    y, x = torch.meshgrid(at, at, indexing="ij")
    angle = 2 * math.pi * (2 * torch.stack([x, y], -1) - 1) @ gaussian
    positions = torch.cat([angle.sin(), angle.cos()], -1).reshape(1, grid * grid, dim)
    image = features.flatten(2).transpose(1, 2) + p.get("prompt_encoder.no_mask_embed.weight", 1, dim)
    names = ["iou_token"] if fine is None else ["obj_score_token", "iou_token"]
    tokens = torch.cat([p.get(f"mask_decoder.{name}.weight", 1, dim) for name in names]
                       + [p.get("mask_decoder.mask_tokens.weight", classes, dim)])
    tokens = tokens.expand(b, -1, -1)
    tokens, image = two_way(p, tokens, image, positions, heads, mlp_dim)
    tokens = tokens[:, len(names) - 1:]

    x = image.transpose(1, 2).reshape(b, dim, grid, grid)
    name = "mask_decoder.output_upscaling"
    x = upscale(p, f"{name}.0", x, dim // 4)
    eighth, quarter = (0, 0) if fine is None else fine
    x = F.gelu(p.norm2d(f"{name}.1", x + eighth))
    x = F.gelu(upscale(p, f"{name}.3", x, dim // 8) + quarter)
    vectors = [perceptron(p, f"mask_decoder.output_hypernetworks_mlps.{i}", tokens[:, 1 + i], dim // 8)
               for i in range(classes)]
    logits = torch.einsum("bnc,bchw->bnhw", torch.stack(vectors, 1), x)
    quality = perceptron(p, "mask_decoder.iou_prediction_head", tokens[:, 0], classes)
    return logits, quality if fine is None else quality.sigmoid()


def two_way(p, tokens, image, positions, heads, mlp_dim):
    dim = tokens.shape[-1]
    q, k = tokens, image
    for i in range(2):
        layer = f"mask_decoder.transformer.layers.{i}"
        if i == 0:
            q = attention(p, f"{layer}.self_attn", q, q, q, dim, heads)
        else:
            q = q + attention(p, f"{layer}.self_attn", q + tokens, q + tokens, q, dim, heads)
        q = p.norm(f"{layer}.norm1", q, EPS)
        name = f"{layer}.cross_attn_token_to_image"
        q = q + attention(p, name, q + tokens, k + positions, k, dim // 2, heads)
        q = p.norm(f"{layer}.norm2", q, EPS)
        y = F.relu(p.linear(f"{layer}.mlp.lin1", q, mlp_dim))
        q = p.norm(f"{layer}.norm3", q + p.linear(f"{layer}.mlp.lin2", y, dim), EPS)
        name = f"{layer}.cross_attn_image_to_token"
        k = k + attention(p, name, k + positions, q + tokens, q, dim // 2, heads)
        k = p.norm(f"{layer}.norm4", k, EPS)
    name = "mask_decoder.transformer.final_attn_token_to_image"
    q = q + attention(p, name, q + tokens, k + positions, k, dim // 2, heads)
    return p.norm("mask_decoder.transformer.norm_final_attn", q, EPS), k


def attention(p, name, q, k, v, inner, heads):
    dim = q.shape[-1]
    q, k, v = (split_heads(p.linear(f"{name}.{n}_proj", t, inner), heads) for n, t in zip("qkv", (q, k, v)))
    y = merge_heads(F.scaled_dot_product_attention(q, k, v))
    return p.linear(f"{name}.out_proj", y, dim)


def upscale(p, name, x, out):
    weight = p.get(f"{name}.weight", x.shape[1], out, 2, 2)
    return F.conv_transpose2d(x, weight, p.get(f"{name}.bias", out), stride=2)


def perceptron(p, name, x, out):
    for i, width in enumerate((x.shape[-1], x.shape[-1], out)):
        x = p.linear(f"{name}.layers.{i}", x, width)
        x = F.relu(x) if i < 2 else x
    return x
