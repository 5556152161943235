"""Writes ../fixtures/metrics.safetensors: label maps [z, y, x] of a prediction and its truth on an
anisotropic grid, and medpy's Dice and HD95 of each class, NaN where medpy has none. Classes 1 to 3 overlap
in part, 4 is only in the truth, 5 only in the prediction, and 6 in neither.

    python metrics.py"""

from pathlib import Path

import numpy as np
from medpy.metric.binary import dc, hd95
from safetensors.numpy import save_file
from scipy.ndimage import gaussian_filter

SHAPE, SPACING = (9, 18, 21), (3.3, 0.7, 1.1)
CLASSES = 6


def blobs(random, shift):
    """Labels by which of smooth noises is the highest, moved a little."""
    noise = [gaussian_filter(random.standard_normal(SHAPE), 2) for _ in range(CLASSES - 2)]
    return np.stack([np.argmax(noise, 0), np.roll(np.argmax(noise, 0), shift, (0, 1, 2))]).astype(np.uint8)


def samed(prediction, truth):
    """SAMed's test.py, in voxels."""
    if prediction.any() and truth.any():
        return dc(prediction, truth), hd95(prediction, truth)
    return (1, 0) if prediction.any() else (0, 0)


random = np.random.default_rng(1)
out = {"spacing": np.array(SPACING[::-1])}
for case, shift in enumerate([(1, 2, -1), (0, 0, 0), (-3, 5, 7)]):
    truth, prediction = blobs(random, shift)
    truth[:2, 3:5, 6:9] = 4
    prediction[5:, :4, 12:] = 5
    scores = []
    for label in range(1, CLASSES + 1):
        p, t = prediction == label, truth == label
        plain = dc(p, t) if p.any() or t.any() else np.nan
        distance = hd95(p, t, SPACING) if p.any() and t.any() else np.nan
        scores.append([plain, distance, *samed(p, t)])
    out |= {f"case{case}.prediction": prediction, f"case{case}.truth": truth, f"case{case}.scores": np.array(scores)}
    print(np.round(scores, 3))
save_file(out, Path(__file__).parent.parent / "fixtures/metrics.safetensors")
