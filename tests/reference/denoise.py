"""The pixel level's decoder and loss in PyTorch: [batch, c, h, w] to an image four times as large."""

import torch.nn.functional as F

from simclr import conv, norm


def loss(restored, clean, dice_weight=0.9, smooth=1e-5):
    p, t = restored.flatten(1), clean.flatten(1)
    dice = (2 * (p * t).sum(1) + smooth) / (p.sum(1) + t.sum(1) + smooth)
    return dice_weight * (1 - dice.mean()) + (1 - dice_weight) * F.mse_loss(restored, clean)


def denoise(p, features, doublings=2, least=8):
    name = "denoise_decoder"
    x = residual(p, f"{name}.stem", features, features.shape[1])
    for step in range(doublings):
        width = max(x.shape[1] // 2, least)
        weight = p.get(f"{name}.ups.{step}.up.weight", x.shape[1], width, 2, 2)
        x = F.conv_transpose2d(x, weight, stride=2)
        x = residual(p, f"{name}.ups.{step}.refine", x, width)
    x = conv_norm_gelu(p, f"{name}.head.0", x, x.shape[1])
    x = conv(p, f"{name}.head.1", x, 3, 1) + p.get(f"{name}.head.1.bias", 3)[:, None, None]
    return x.sigmoid()


def residual(p, name, x, out):
    y = conv_norm_gelu(p, f"{name}.conv2", conv_norm_gelu(p, f"{name}.conv1", x, out), out)
    if x.shape[1] != out:
        x = norm(p, f"{name}.shortcut.1", conv(p, f"{name}.shortcut.0", x, out, 1), training=True)
    return F.gelu(y + x)


def conv_norm_gelu(p, name, x, out):
    return F.gelu(norm(p, f"{name}.1", conv(p, f"{name}.0", x, out, 3), training=True))
