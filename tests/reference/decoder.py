"""The mask decoder of SAM and SAM 2 in PyTorch, without prompts and with one mask token per class, and H-SAM's two."""

import math

import torch
import torch.nn.functional as F

from networks import merge_heads, split_heads

EPS = 1e-5  # of LayerNorm in the original code's two-way transformer


def decode(p, features, fine=None, classes=3, heads=2, mlp_dim=20):
    """Logits [b, classes, 4h, 4w] and qualities [b, classes] of features [b, c, h, w]; SAM 2's with its `fine`
    features."""
    logits, quality, _ = decode_classes(p, features, classes, heads, mlp_dim, fine=fine)
    return logits, quality if fine is None else quality.sigmoid()


def decode_twice(p, features, classes=3, heads=2, mlp_dim=20, noise=0, dropout=0):
    """H-SAM: logits [b, classes, 4h, 4w] and [b, classes, 16h, 16w]. `noise` is a part of the features' range."""
    b, dim, grid, _ = features.shape
    low, _, pixels = decode_classes(p, features, classes, heads, mlp_dim, cross_first=True)
    mask = F.interpolate(low, size=(grid, grid), mode="bilinear").softmax(1).flatten(2)
    positions, dense = prompts(p, grid, dim)
    if noise:
        features = features + noise * (features.max() - features.min()) * torch.randn_like(features)
    image = 2 * (features.flatten(2).transpose(1, 2) + dense)
    name = "mask_decoder2"
    tokens = p.get(f"{name}.mask_tokens.weight", classes, dim).expand(b, -1, -1)
    tokens, image = two_way(p, f"{name}.transformer2", tokens, image, positions, heads, mlp_dim, True, mask, dropout)
    x = torch.cat([upscaled(p, name, image.transpose(1, 2).reshape(b, dim, grid, grid)), pixels], 1)
    x = F.gelu(p.norm2d(f"{name}.skip_connect.1", upscale(p, f"{name}.skip_connect.0", x, dim // 8)))
    x = F.gelu(p.norm2d(f"{name}.skip_connect.4", upscale(p, f"{name}.skip_connect.3", x, dim // 16)))
    widths = dim, dim, dim, dim, dim // 16
    return low, masks(p, f"{name}.output_hypernetworks_mlps2", tokens, x, widths)


def decode_classes(p, features, classes, heads, mlp_dim, cross_first=False, fine=None):
    """Logits, qualities, and the vectors of pixels [b, c/8, 4h, 4w]."""
    b, dim, grid, _ = features.shape
    positions, dense = prompts(p, grid, dim)
    image = features.flatten(2).transpose(1, 2) + dense
    names = ["iou_token"] if fine is None else ["obj_score_token", "iou_token"]
    tokens = torch.cat([p.get(f"mask_decoder.{name}.weight", 1, dim) for name in names]
                       + [p.get("mask_decoder.mask_tokens.weight", classes, dim)])
    tokens = tokens.expand(b, -1, -1)
    tokens, image = two_way(p, "mask_decoder.transformer", tokens, image, positions, heads, mlp_dim, cross_first)
    tokens = tokens[:, len(names) - 1:]
    pixels = upscaled(p, "mask_decoder", image.transpose(1, 2).reshape(b, dim, grid, grid), fine)
    widths = dim, dim, dim // 8
    logits = masks(p, "mask_decoder.output_hypernetworks_mlps", tokens[:, 1:], pixels, widths)
    quality = perceptron(p, "mask_decoder.iou_prediction_head", tokens[:, 0], (dim, dim, classes))
    return logits, quality, pixels


def prompts(p, grid, dim):
    """Positions [1, grid², dim] and the embedding of no mask."""
    gaussian = p.get("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", 2, dim // 2)
    at = (torch.arange(grid, dtype=gaussian.dtype) + 0.5) / grid
    y, x = torch.meshgrid(at, at, indexing="ij")
    angle = 2 * math.pi * (2 * torch.stack([x, y], -1) - 1) @ gaussian
    positions = torch.cat([angle.sin(), angle.cos()], -1).reshape(1, grid * grid, dim)
    return positions, p.get("prompt_encoder.no_mask_embed.weight", 1, dim)


def upscaled(p, decoder, x, fine=None):
    dim, name = x.shape[1], f"{decoder}.output_upscaling"
    eighth, quarter = (0, 0) if fine is None else fine
    x = F.gelu(p.norm2d(f"{name}.1", upscale(p, f"{name}.0", x, dim // 4) + eighth))
    return F.gelu(upscale(p, f"{name}.3", x, dim // 8) + quarter)


def masks(p, name, tokens, pixels, widths):
    vectors = [perceptron(p, f"{name}.{i}", tokens[:, i], widths) for i in range(tokens.shape[1])]
    return torch.einsum("bnc,bchw->bnhw", torch.stack(vectors, 1), pixels)


def two_way(p, name, tokens, image, positions, heads, mlp_dim, cross_first=False, mask=None, dropout=0):
    dim = tokens.shape[-1]
    inner = dim // 2 if mask is None else dim
    q, k = tokens, image

    def to_tokens(layer, q):
        if layer.endswith(".0"):
            y = attention(p, f"{layer}.self_attn", q, q, q, dim, heads)
        else:
            y = q + attention(p, f"{layer}.self_attn", q + tokens, q + tokens, q, dim, heads)
        return p.norm(f"{layer}.norm1", y, EPS)

    def to_image(layer, q):
        y = attention(p, f"{layer}.cross_attn_token_to_image", q + tokens, k + positions, k, inner, heads, mask)
        y = F.dropout(y, dropout)
        return p.norm(f"{layer}.norm2", q + y, EPS)

    for i in range(2):
        layer = f"{name}.layers.{i}"
        for attend in (to_image, to_tokens) if cross_first else (to_tokens, to_image):
            q = attend(layer, q)
        y = F.relu(p.linear(f"{layer}.mlp.lin1", q, mlp_dim))
        q = p.norm(f"{layer}.norm3", q + p.linear(f"{layer}.mlp.lin2", y, dim), EPS)
        back = None if mask is None else mask.transpose(1, 2)
        y = attention(p, f"{layer}.cross_attn_image_to_token", k + positions, q + tokens, q, inner, heads, back)
        k = p.norm(f"{layer}.norm4", k + y, EPS)
    q = q + attention(p, f"{name}.final_attn_token_to_image", q + tokens, k + positions, k, dim // 2, heads)
    return p.norm(f"{name}.norm_final_attn", q, EPS), k


def attention(p, name, q, k, v, inner, heads, mask=None):
    dim = q.shape[-1]
    q, k, v = (split_heads(p.linear(f"{name}.{n}_proj", t, inner), heads) for n, t in zip("qkv", (q, k, v)))
    if mask is None:
        y = F.scaled_dot_product_attention(q, k, v)
    else:
        y = ((q @ k.transpose(2, 3) / math.sqrt(inner // heads)).softmax(-1) * mask[:, None]) @ v
    return p.linear(f"{name}.out_proj", merge_heads(y), dim)


def upscale(p, name, x, out):
    weight = p.get(f"{name}.weight", x.shape[1], out, 2, 2)
    return F.conv_transpose2d(x, weight, p.get(f"{name}.bias", out), stride=2)


def perceptron(p, name, x, widths):
    for i, width in enumerate(widths):
        x = p.linear(f"{name}.layers.{i}", x, width)
        x = F.relu(x) if i + 1 < len(widths) else x
    return x
