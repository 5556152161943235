"""SAM 2's image encoder in PyTorch, written from the equations, with three LoRA experts and HL-Attn. See networks.py."""

import torch
import torch.nn.functional as F

from networks import merge_heads, split_heads, unwindow, windows, with_experts


def sam2_encoder(p, image, mode, dim=4, heads=1, depths=(1, 1, 2, 1), sides=(4, 2, 6, 3), global_blocks=(3,), coarse=3,
                 out=16, mlp_ratio=2, rank=2):
    """The image's embedding [b, out, t, t], and the fine features [b, out/4, 2t, 2t] and [b, out/8, 4t, 4t]."""
    trunk = "image_encoder.trunk"
    weight = p.get(f"{trunk}.patch_embed.proj.weight", dim, 3, 7, 7)
    x = F.conv2d(image, weight, p.get(f"{trunk}.patch_embed.proj.bias", dim), stride=4, padding=3)
    grid = x.shape[-1]
    table = p.get(f"{trunk}.pos_embed", 1, dim, coarse, coarse)
    tile = p.get(f"{trunk}.pos_embed_window", 1, dim, sides[0], sides[0])
    many = grid // sides[0]
    x = x + F.interpolate(table, size=(grid, grid), mode="bicubic") + tile.repeat(1, 1, many, many)
    x = x.flatten(2).transpose(1, 2)
    maps, index = [], 0
    for stage, depth in enumerate(depths):
        for i in range(depth):
            pools = stage > 0 and i == 0
            side = grid if index in global_blocks else sides[stage - pools]
            x = block(p, f"{trunk}.blocks.{index}", mode, x, dim << stage, heads << stage, grid, side, pools,
                      mlp_ratio, rank)
            grid = grid // 2 if pools else grid
            index += 1
        maps.append(x.transpose(1, 2).reshape(len(x), -1, grid, grid))
    f4, f8, f16, f32 = (conv1x1(p, f"image_encoder.neck.convs.{3 - i}.conv", m, out) for i, m in enumerate(maps))
    f16 = f16 + f32.repeat_interleave(2, 2).repeat_interleave(2, 3)
    embedding = f16 + p.get("no_mem_embed", 1, 1, out).reshape(1, out, 1, 1)
    return embedding, (conv1x1(p, "mask_decoder.conv_s1", f8, out // 4), conv1x1(p, "mask_decoder.conv_s0", f4, out // 8))


def block(p, name, mode, x, out, heads, grid, side, pools, mlp_ratio, rank):
    y = p.norm(f"{name}.norm1", x, 1e-6)
    if pools:
        x = halve(p.linear(f"{name}.proj", y, out), grid)
    cut, _ = windows(y, grid, side)
    q, k, v = p.linear(f"{name}.attn.qkv", cut, 3 * out).split(out, -1)
    after, inner = (grid // 2, side // 2) if pools else (grid, side)

    def attend(q, k, v):
        if pools:
            q = halve(q, side)
        q, k, v = (split_heads(t, heads) for t in (q, k, v))
        return unwindow(merge_heads(F.scaled_dot_product_attention(q, k, v)), after, inner)

    x = x + with_experts(p, name, mode, cut, q, k, v, attend, heads, after, inner, rank)
    y = p.linear(f"{name}.mlp.layers.0", p.norm(f"{name}.norm2", x, 1e-6), mlp_ratio * out)
    return x + p.linear(f"{name}.mlp.layers.1", F.gelu(y), out)


def halve(x, side):
    """The largest of every 2×2 tokens of [b, side², c]."""
    x = x.transpose(1, 2).reshape(len(x), -1, side, side)
    return F.max_pool2d(x, 2).flatten(2).transpose(1, 2)


def conv1x1(p, name, x, out):
    return F.conv2d(x, p.get(f"{name}.weight", out, x.shape[1], 1, 1), p.get(f"{name}.bias", out))
