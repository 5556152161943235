"""The masked autoencoder in PyTorch, with the mask given. Parameters have the published names, and
images are [batch, 3, h, w]."""

import torch
import torch.nn.functional as F

from networks import merge_heads, split_heads

EPS = 1e-6


def encode(p, image, ids_keep, patch=4, dim=16, depth=2, heads=2):
    """[batch, 1 + m, dim] of the patches `ids_keep` [batch, m]."""
    weight = p.get("patch_embed.proj.weight", dim, 3, patch, patch)
    x = F.conv2d(image, weight, p.get("patch_embed.proj.bias", dim), stride=patch)
    positions = sincos(dim, x.shape[-1]).to(x.dtype)
    x = x.flatten(2).transpose(1, 2) + positions[1:]
    x = x.gather(1, ids_keep[..., None].expand(-1, -1, dim))
    x = torch.cat([(p.get("cls_token", 1, 1, dim) + positions[:1]).expand(len(x), -1, -1), x], 1)
    for i in range(depth):
        x = block(p, f"blocks.{i}", x, heads)
    return p.norm("norm", x, EPS)


def decode(p, tokens, ids_restore, pixels, dim=12, depth=1, heads=3):
    """[batch, n, pixels] of all patches."""
    x = p.linear("decoder_embed", tokens, dim)
    b, n = ids_restore.shape
    hidden = p.get("mask_token", 1, 1, dim).expand(b, n + 1 - x.shape[1], -1)
    patches = torch.cat([x[:, 1:], hidden], 1).gather(1, ids_restore[..., None].expand(-1, -1, dim))
    x = torch.cat([x[:, :1], patches], 1) + sincos(dim, int(n**0.5))
    for i in range(depth):
        x = block(p, f"decoder_blocks.{i}", x, heads)
    return p.linear("decoder_pred", p.norm("decoder_norm", x, EPS), pixels)[:, 1:]


def loss(prediction, image, ids_restore, kept, patch=4):
    """Of hidden patches, each standardised by its own mean and unbiased variance."""
    b, c, h, w = image.shape
    target = image.reshape(b, c, h // patch, patch, w // patch, patch)
    target = torch.einsum("nchpwq->nhwpqc", target).reshape(b, -1, patch * patch * c)
    target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
    hidden = ids_restore >= kept
    return ((prediction - target) ** 2).mean(-1)[hidden].mean()


def block(p, name, x, heads):
    dim = x.shape[-1]
    qkv = p.linear(f"{name}.attn.qkv", p.norm(f"{name}.norm1", x, EPS), 3 * dim).split(dim, -1)
    y = merge_heads(F.scaled_dot_product_attention(*(split_heads(t, heads) for t in qkv)))
    x = x + p.linear(f"{name}.attn.proj", y, dim)
    y = F.gelu(p.linear(f"{name}.mlp.fc1", p.norm(f"{name}.norm2", x, EPS), 4 * dim))
    return x + p.linear(f"{name}.mlp.fc2", y, dim)


def sincos(dim, grid):
    """[1 + grid², dim]: zeros for the class token, then columns in the first half and rows in the other."""
    rate = 10000.0 ** -(torch.arange(dim // 4).double() / (dim // 4))
    row, column = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    angles = [at.flatten()[:, None] * rate for at in (column, row)]
    patches = torch.cat([f(angle) for angle in angles for f in (torch.sin, torch.cos)], 1)
    return torch.cat([torch.zeros(1, dim).double(), patches])
