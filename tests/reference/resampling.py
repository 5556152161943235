"""Writes ../fixtures/resampling.safetensors: a random image and labels, zoomed and rotated by
scipy.ndimage.

    python resampling.py"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.ndimage import rotate, zoom

random = np.random.default_rng(1)
image = random.random((23, 30), np.float32)
label = random.integers(0, 9, image.shape, np.uint8)
out = {"image": image, "label": label}
for size in ((40, 17), (12, 64)):
    factors = [to / of for to, of in zip(size, image.shape)]
    name = f"zoom{size[0]}x{size[1]}"
    out |= {f"{name}.cubic": zoom(image, factors, order=3), f"{name}.linear": zoom(image, factors, order=1),
            f"{name}.nearest": zoom(label, factors, order=0)}
for degrees in (-20, -7, 3, 19):
    turn = lambda plane, order: rotate(plane, degrees, order=order, reshape=False)
    out |= {f"rotate{degrees}.linear": turn(image, 1), f"rotate{degrees}.nearest": turn(label, 0)}
out = {name: np.ascontiguousarray(plane) for name, plane in out.items()}
save_file(out, Path(__file__).parent.parent / "fixtures/resampling.safetensors")
