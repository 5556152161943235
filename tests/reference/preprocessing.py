"""Prints the values that the tests of runner/src/data/{zoom,gaussian,elastic,prepare,views}.rs and
runner/src/stage/segment.rs expect, as computed by scipy.ndimage, OpenCV and PyTorch.

    python preprocessing.py"""

import cv2
import numpy as np
import scipy
import torch
from scipy.ndimage import gaussian_filter, map_coordinates, rotate, zoom


def scene(height, width):
    """The test image, f32 in 0…1."""
    r, c = np.mgrid[:height, :width]
    return ((r * 7919 + c * 104729 + r * c * 31 + 500) % 997).astype(np.float32) / np.float32(997)


def checksum(plane):
    """Mean of the pixels under pseudo-random weights in 0…1."""
    weights = np.arange(1, plane.size + 1, dtype=np.uint64) * 2654435761 % 2**32 / 2**32
    return round(float((plane.ravel().astype(np.float64) * weights).mean()), 10)


print(f"scipy {scipy.__version__}, OpenCV {cv2.__version__}, PyTorch {torch.__version__}")

print("\nzoom: from, to, orders 0, 1 and 3")
for size, to in (((512, 512), (224, 224)), ((256, 256), (224, 224)), ((183, 140), (56, 56)),
                 ((224, 224), (512, 512)), ((512, 512), (128, 128)), ((115, 58), (224, 48)),
                 ((7, 1), (20, 5)), ((1, 7), (1, 20)), ((1, 1), (4, 3)), ((2, 3), (1, 1))):
    zoomed = [zoom(scene(*size), [t / s for t, s in zip(to, size)], order=order) for order in (0, 1, 3)]
    assert all(z.shape == to for z in zoomed)
    print(f"({size}, {to}, {[checksum(z) for z in zoomed]}),")

lines = [(s, t) for t in (48, 56, 64, 96, 112, 128, 192, 224, 256, 384, 512, 1024) for s in range(1, 600)]
blank = [(s, t) for s, t in lines if zoom(np.ones(s), t / s, order=0)[-1] == 0]
print("\nlines whose last pixel becomes 0:", len(blank), sum(s * t for s, t in blank))

print("\nrotate: size, orders 0 and 1, all degrees from −20 to 20")
for size in ((1, 1), (2, 2), (8, 8), (17, 24), (63, 63), (64, 64), (183, 140), (224, 224)):
    turned = [[rotate(scene(*size), degrees, order=order, reshape=False) for degrees in range(-20, 21)]
              for order in (0, 1)]
    print(f"({size}, {[checksum(np.stack(t)) for t in turned]}),")

print("\nGaussianBlur: size, taps, sigma")
for size, taps, sigma in (((9, 7), 3, 0.6), ((9, 7), 5, 1.4), ((2, 1), 5, 1.0)):
    print(f"({size}, {taps}, {sigma}, {checksum(cv2.GaussianBlur(scene(*size), (taps, taps), sigma))}),")

print("\ngaussian_filter: size, sigma")
for size, sigma in (((40, 40), 3.2), ((31, 46), 3.68), ((5, 60), 4.8), ((1, 3), 0.24)):
    print(f"({size}, {sigma}, {checksum(gaussian_filter(scene(*size).astype(np.float64), sigma))}),")

start = np.float32([[34, 30], [34, 6], [10, 6]])
end = start + np.float32([[1.5, -2.25], [0.5, 3.0], [-2.75, 0.125]])
matrix = cv2.getAffineTransform(start, end)
inverse = cv2.invertAffineTransform(matrix)
print("\ngetAffineTransform, inverted:\n", inverse)

print("\nelastic: size, image, nearest label, interpolated label")
for size in ((40, 46), (36, 36)):
    height, width = size
    image = scene(*size)
    label = np.floor(image * 9)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    at = [row[0] * x + row[1] * y + row[2] for row in inverse[::-1]]
    planes = [(image, 1), (label, 0), (label, 1)]
    warped = [map_coordinates(plane, at, order=order, mode="mirror") for plane, order in planes]
    opencv = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    print("    warpAffine differs by", np.abs(opencv - warped[0]).max())
    at = [y + 8 * (scene(width, height).T - 0.5), x + 8 * (scene(*size) - 0.5)]
    image, nearest, linear = [map_coordinates(plane, at, order=order, mode="constant")
                              for plane, (_, order) in zip(warped, planes)]
    print(f"({size}, {[checksum(plane) for plane in (image, nearest, np.trunc(linear))]}),")

image = scene(512, 512)
once = image.astype(np.float64)
for to in (224, 512):
    at = np.minimum(np.arange(to) * ((len(once) - 1) / (to - 1)), len(once) - 1)
    once = map_coordinates(once, np.meshgrid(at, at, indexing="ij"), order=3, mode="mirror").astype(np.float32)
print("\n512 → 224 → 512 without a blank row, 512 → 512:", checksum(once), checksum(image))
print("SAMed's 512 → 224 → 512: image, label, low-resolution label")
label = np.floor(image * 9)
for to in (224, 512):
    image, label = zoom(image, to / len(image), order=3), zoom(label, to / len(label), order=0)
print([checksum(plane) for plane in (image, label, zoom(label, 128 / 512, order=0))])

image = scene(40, 30)
image = zoom((image - image.min()) / (image.max() - image.min()), (16 / 40, 16 / 30), order=3)
print("\npatch view:", checksum((image - image.mean()) / image.std()))

logits = torch.from_numpy(scene(8, 24).reshape(8, 8, 3)).permute(2, 0, 1)[None]
mask = torch.nn.functional.interpolate(logits, (32, 32), mode="bilinear").argmax(1)[0].numpy().astype(np.uint8)
print("mask of 20×27 by way of 32×32:", checksum(zoom(mask, (20 / 32, 27 / 32), order=0)))
