"""SAMora in PyTorch, written from the equations: a SAM or TinyViT encoder with three LoRA experts and
HL-Attn, and the prompt-free mask decoder. Parameters are made at random on first use, under the
names of the published checkpoints. Activations are [batch, tokens, channels] or [batch, channels, h, w]."""

import math

import torch
import torch.nn.functional as F

LEVELS = "image", "patch", "pixel"


class Parameters(dict):
    """Tensors by name, drawn when asked for: factors of norms around 1, variances around 2. They hold
    f32 numbers in f64, so that rounding is left to the code under test."""

    def __init__(self, seed):
        super().__init__()
        self.random = torch.Generator().manual_seed(seed)

    def get(self, name, *shape):
        if name not in self:
            value = 0.3 * torch.randn(shape, generator=self.random)
            if name.endswith("weight") and len(shape) == 1 or "_gate" in name or "_scale" in name:
                value += 1
            if name.endswith("running_var"):
                value += 2
            self[name] = value.double().requires_grad_("running_" not in name)
        return self[name]

    def linear(self, name, x, out):
        weight, bias = self.get(f"{name}.weight", out, x.shape[-1]), self.get(f"{name}.bias", out)
        return F.linear(x, weight, bias)

    def norm(self, name, x, eps):
        n = x.shape[-1]
        return F.layer_norm(x, (n,), self.get(f"{name}.weight", n), self.get(f"{name}.bias", n), eps)

    def norm2d(self, name, x):
        return self.norm(name, x.permute(0, 2, 3, 1), 1e-6).permute(0, 3, 1, 2)


def windows(x, grid, window):
    """[b, grid², c] to [b·windows, window², c], zeros at the bottom and right; and which slots are pads."""
    b, _, c = x.shape
    many = -(-grid // window)
    pad = many * window - grid
    inside = x.new_ones(1, grid, grid, 1)

    def cut(t):
        t = F.pad(t, (0, 0, 0, pad, 0, pad)) if pad else t
        t = t.reshape(t.shape[0], many, window, many, window, t.shape[-1]).permute(0, 1, 3, 2, 4, 5)
        return t.reshape(-1, window * window, t.shape[-1])

    pads = cut(inside)[..., 0] == 0
    return cut(x.reshape(b, grid, grid, c)), pads.repeat(b, 1)


def unwindow(x, grid, window):
    many = -(-grid // window)
    x = x.reshape(-1, many, many, window, window, x.shape[-1]).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(x.shape[0], many * window, many * window, -1)[:, :grid, :grid]
    return x.reshape(x.shape[0], grid * grid, -1)


def multi_head(p, name, q, k, v, heads, grid, window):
    c = q.shape[-1]
    (q, pads), (k, _), (v, _) = (windows(t, grid, window) for t in (q, k, v))
    out, _ = F.multi_head_attention_forward(
        q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1), c, heads,
        p.get(f"{name}.in_proj_weight", 3 * c, c), p.get(f"{name}.in_proj_bias", 3 * c),
        None, None, False, 0.0,
        p.get(f"{name}.out_proj.weight", c, c), p.get(f"{name}.out_proj.bias", c),
        key_padding_mask=pads if grid % window else None, need_weights=False)
    return unwindow(out.transpose(0, 1), grid, window)


def hl_attn(p, scope, mode, deltas, heads, grid, window):
    """`deltas` are those of the levels image, patch, pixel; the pixel level is the lowest."""
    c = deltas[0].shape[-1]
    if mode == "zero_start":
        def attend_to_itself(d):
            y = p.norm(f"{scope}.self_norm", d, 1e-5)
            return d + multi_head(p, f"{scope}.self_attn", y, y, y, heads, grid, window)
        deltas = [attend_to_itself(d) for d in deltas]
    image, patch, pixel = deltas

    def fuse(step, q, k):
        name = f"{scope}.{step}_level_fuser"
        normed = [p.norm(f"{name}.{n}_norm", t, 1e-5) for n, t in (("query", q), ("key", k), ("value", k))]
        y = multi_head(p, f"{name}.attn", *normed, heads, grid, window)
        fused = q + p.linear(f"{name}.out_proj", y, c)
        return q + p.get(f"{scope}.{step}_gate") * (fused - q)

    fused = fuse("high", image, fuse("low", patch, pixel))
    if mode == "zero_start":
        return fused * p.get(f"{scope}.output_scale", c)
    return p.norm(f"{scope}.final_norm", fused, 1e-5)


def with_experts(p, block, mode, y, q, k, v, attend, heads, grid, window, rank=2):
    """The attention with the expert of the level `mode`, or else frozen plus the fused differences of all
    experts; `attend` ends at [b, grid², c]."""
    c = q.shape[-1]
    project = lambda out: p.linear(f"{block}.attn.proj", out, c)

    def expert(level):
        scope = f"{block}.samora_adapter.experts.{level}"
        scale = p.get(f"{block}.samora_adapter.{level}_scale")

        def update(side):
            a = p.get(f"{scope}.linear_a_{side}.weight", rank, y.shape[-1])
            b = p.get(f"{scope}.linear_b_{side}.weight", c, rank)
            return scale * F.linear(F.linear(y, a), b)

        return project(attend(q + update("q"), k, v + update("v")))

    if mode in LEVELS:
        return expert(mode)
    frozen = project(attend(q, k, v))
    deltas = [expert(level) - frozen for level in LEVELS]
    return frozen + hl_attn(p, f"{block}.samora_adapter.fuser", mode, deltas, heads, grid, window)


def split_heads(x, heads):
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


def neck(p, x, out):
    x = F.conv2d(x, p.get("image_encoder.neck.0.weight", out, x.shape[1], 1, 1))
    x = p.norm2d("image_encoder.neck.1", x)
    x = F.conv2d(x, p.get("image_encoder.neck.2.weight", out, out, 3, 3), padding=1)
    return p.norm2d("image_encoder.neck.3", x)


def sam_encoder(p, image, mode, out=16, **sizes):
    """Features [b, out, grid, grid], and the tokens [b, grid², dim] before the neck."""
    x = sam_tokens(p, image, mode, **sizes)
    grid = math.isqrt(x.shape[1])
    return neck(p, x.reshape(-1, grid, grid, x.shape[2]).permute(0, 3, 1, 2), out), x


def sam_tokens(p, image, mode, patch=4, dim=16, heads=2, windows_of_blocks=(3, 5), mlp_ratio=2, rank=2):
    weight = p.get("image_encoder.patch_embed.proj.weight", dim, 3, patch, patch)
    x = F.conv2d(image, weight, p.get("image_encoder.patch_embed.proj.bias", dim), stride=patch)
    grid = x.shape[-1]
    x = x.permute(0, 2, 3, 1) + p.get("image_encoder.pos_embed", 1, grid, grid, dim)
    x = x.reshape(-1, grid * grid, dim)
    for i, window in enumerate(windows_of_blocks):
        block = f"image_encoder.blocks.{i}"
        tables = [p.get(f"{block}.attn.rel_pos_{a}", 2 * window - 1, dim // heads) for a in "hw"]
        at = torch.arange(window)
        by_height, by_width = (t[at[:, None] - at[None] + window - 1] for t in tables)

        def attend(q, k, v):
            q, k, v = (split_heads(t, heads) for t in (q, k, v))
            places = q.reshape(*q.shape[:2], window, window, -1)
            relative = (torch.einsum("bhyxc,ykc->bhyxk", places, by_height)[..., :, None]
                        + torch.einsum("bhyxc,xkc->bhyxk", places, by_width)[..., None, :])
            relative = relative.reshape(*q.shape[:3], window * window)
            attended = F.scaled_dot_product_attention(q, k, v, attn_mask=relative)
            return unwindow(merge_heads(attended), grid, window)

        y, _ = windows(p.norm(f"{block}.norm1", x, 1e-6), grid, window)
        qkv = p.linear(f"{block}.attn.qkv", y, 3 * dim).split(dim, -1)
        x = x + with_experts(p, block, mode, y, *qkv, attend, heads, grid, window, rank)
        y = p.linear(f"{block}.mlp.lin1", p.norm(f"{block}.norm2", x, 1e-6), mlp_ratio * dim)
        x = x + p.linear(f"{block}.mlp.lin2", F.gelu(y), dim)
    return x


def project(p, x, out, hidden=24):
    """The student's features in a teacher's width."""
    x = F.gelu(p.norm("projector.1", p.linear("projector.0", x, hidden), 1e-5))
    return p.linear("projector.3", x, out)


def conv_bn(p, name, x, out, kernel, stride=1, depthwise=False):
    inputs, groups = (1, out) if depthwise else (x.shape[1], 1)
    weight = p.get(f"{name}.c.weight", out, inputs, kernel, kernel)
    x = F.conv2d(x, weight, stride=stride, padding=kernel // 2, groups=groups)
    names = ("running_mean", "running_var", "weight", "bias")
    return F.batch_norm(x, *(p.get(f"{name}.bn.{n}", out) for n in names), training=False)


def tiny_vit_encoder(p, image, mode, stem, dims=(4, 8, 12, 16), heads=(2, 3, 2), sides=(3, 4, 2), out=16):
    kernel, stride = (3, 2) if stem == "halving" else (1, 1)
    x = conv_bn(p, "image_encoder.patch_embed.seq.0", image, dims[0] // 2, kernel, stride)
    x = conv_bn(p, "image_encoder.patch_embed.seq.2", F.gelu(x), dims[0], kernel, stride)
    for stage, dim in enumerate(dims):
        block = f"image_encoder.layers.{stage}.blocks.0"
        if stage == 0:
            y = F.gelu(conv_bn(p, f"{block}.conv1", x, 2 * dim, 1))
            y = F.gelu(conv_bn(p, f"{block}.conv2", y, 2 * dim, 3, depthwise=True))
            x = F.gelu(x + conv_bn(p, f"{block}.conv3", y, dim, 1))
        else:
            x = tiny_vit_block(p, block, mode, x, heads[stage - 1], sides[stage - 1])
        if stage < 3:
            name, wide = f"image_encoder.layers.{stage}.downsample", dims[stage + 1]
            x = F.gelu(conv_bn(p, f"{name}.conv1", x, wide, 1))
            x = conv_bn(p, f"{name}.conv2", x, wide, 3, 1 if stage == 2 else 2, depthwise=True)
            x = conv_bn(p, f"{name}.conv3", F.gelu(x), wide, 1)
    return neck(p, x, out)


def tiny_vit_block(p, block, mode, x, heads, window):
    dim, grid = x.shape[1], x.shape[-1]
    table = p.get(f"{block}.attn.attention_biases", heads, window * window)
    at = torch.cartesian_prod(torch.arange(window), torch.arange(window))
    distance = (at[:, None] - at[None]).abs()
    bias = table[:, distance[..., 0] * window + distance[..., 1]]

    def attend(q, k, v):
        q, k, v = (split_heads(t, heads) for t in (q, k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(dim // heads) + bias
        return unwindow(merge_heads(scores.softmax(-1) @ v), grid, window)

    x = x.flatten(2).transpose(1, 2)
    y, _ = windows(x, grid, window)
    y = p.norm(f"{block}.attn.norm", y, 1e-5)
    qkv = p.linear(f"{block}.attn.qkv", y, 3 * dim)
    q, k, v = (t.flatten(2) for t in qkv.reshape(*y.shape[:2], heads, 3, -1).unbind(3))
    x = x + with_experts(p, block, mode, y, q, k, v, attend, heads, grid, window)
    x = x.transpose(1, 2).reshape(-1, dim, grid, grid)
    x = conv_bn(p, f"{block}.local_conv", x, dim, 3, depthwise=True)
    x = x.flatten(2).transpose(1, 2)
    y = p.linear(f"{block}.mlp.fc1", p.norm(f"{block}.mlp.norm", x, 1e-5), 2 * dim)
    x = x + p.linear(f"{block}.mlp.fc2", F.gelu(y), dim)
    return x.transpose(1, 2).reshape(-1, dim, grid, grid)
