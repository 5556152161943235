"""Writes ../fixtures/metrics.safetensors: label maps [z, y, x] of predictions and their truth, and what
medpy and MONAI score them. Of each class: medpy's Dice, IoU, HD95 and ASSD in millimetres, MONAI's NSD at
TOLERANCE millimetres, medpy's HD95 and ASSD in voxels, SAMed's Dice and HD95, and UA-MT's IoU and ASD, both
in voxels; NaN where they have none. A score is the sum of two numbers of single precision, which is what
fixtures are read in.

Cases 0 to 2 are on an anisotropic grid, where classes 1 to 3 overlap in part, 4 is only in the truth, 5 only
in the prediction, and 6 in neither. Objects of case 3, on a grid of other spacing, lie on the border, are
single voxels or far apart.

    python metrics.py"""

from pathlib import Path

import numpy as np
import torch
from medpy.metric.binary import asd, assd, dc, hd95, jc
from monai.metrics import compute_surface_dice
from safetensors.numpy import save_file
from scipy.ndimage import gaussian_filter

SHAPE, SPACING = (9, 18, 21), (3.3, 0.7, 1.1)
CLASSES = 6
TOLERANCE = 1.5


def blobs(random, shift):
    """Labels by which of smooth noises is the highest, moved a little."""
    noise = [gaussian_filter(random.standard_normal(SHAPE), 2) for _ in range(CLASSES - 2)]
    return np.stack([np.argmax(noise, 0), np.roll(np.argmax(noise, 0), shift, (0, 1, 2))]).astype(np.uint8)


def border():
    prediction, truth = np.zeros((2, 7, 16, 30), np.uint8)
    truth[:3, :5, :9], prediction[:4, :4, :10] = 1, 1  # in a corner
    truth[3:, 9:, 12:], prediction[:, 10:, 14:] = 2, 2  # in the opposite one
    truth[3, 7, 3], prediction[3, 7, 5] = 3, 3  # single voxels
    truth[0, 15, 0], prediction[6, 0, 29] = 4, 4  # as far apart as can be
    truth[:, 0, 12:14], prediction[:, 0, 12:14] = 5, 5  # equal and thin
    truth[5, 6:9, 20:25], prediction[5, 6:9, 20:25] = 6, 6
    prediction[5, 7, 22] = 0  # with a hole
    return truth, prediction


def nsd(prediction, truth, spacing):
    one_hot = [torch.from_numpy(mask.copy())[None, None] for mask in (prediction, truth)]
    return compute_surface_dice(*one_hot, [TOLERANCE], include_background=True, spacing=spacing).item()


def scores(prediction, truth, spacing):
    p, t = prediction.any(), truth.any()
    overlap = [dc(prediction, truth), jc(prediction, truth)] if p or t else [np.nan] * 2
    pair = prediction, truth
    mm = [hd95(*pair, spacing), assd(*pair, spacing)] if p and t else [np.nan] * 2
    voxels = [hd95(*pair), assd(*pair)] if p and t else [np.nan] * 2
    samed = [dc(*pair), hd95(*pair)] if p and t else [1, 0] if p else [0, 0]
    # UA-MT's code fails on a prediction without truth.
    uamt = [jc(*pair), asd(*pair)] if p and t else [np.nan] * 2 if p else [0, 0]
    return overlap + mm + [nsd(*pair, spacing)] + voxels + samed + uamt


random = np.random.default_rng(1)
out = {}
for case, shift in enumerate([(1, 2, -1), (0, 0, 0), (-3, 5, 7), None]):
    truth, prediction = blobs(random, shift) if shift else border()
    spacing = SPACING if shift else (5.0, 0.9, 0.4)
    if shift:
        truth[:2, 3:5, 6:9] = 4
        prediction[5:, :4, 12:] = 5
    rows = [scores(prediction == label, truth == label, spacing) for label in range(1, CLASSES + 1)]
    high = np.array(rows, np.float32)
    parts = {"prediction": prediction, "truth": truth, "spacing": np.array(spacing[::-1])}
    parts |= {"scores": high, "scores_rest": (np.array(rows) - high).astype(np.float32)}
    out |= {f"case{case}.{name}": part for name, part in parts.items()}
    print(np.round(rows, 3))
save_file(out, Path(__file__).parent.parent / "fixtures/metrics.safetensors")
