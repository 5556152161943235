"""The other side of metrics.rs: computes what it is asked for on standard input, and answers with seconds
and values. Arguments: shape z,y,x; spacing z,y,x in millimetres. Masks and transforms are raw files in the
working directory."""

import sys
import time

import numpy as np
from medpy.metric.binary import assd, dc, hd95, jc
from scipy.ndimage import distance_transform_edt

shape = [int(n) for n in sys.argv[1].split(",")]
spacing = [float(mm) for mm in sys.argv[2].split(",")]
truth, prediction, target = (
    np.fromfile(name, np.uint8).reshape(shape).astype(bool) for name in ("truth", "prediction", "target")
)


def transform():
    distance = distance_transform_edt(~target, sampling=spacing)
    return distance, []


def hausdorff():
    return None, [hd95(prediction, truth, spacing)]


def scores():
    pair = prediction, truth
    return None, [dc(*pair), jc(*pair), hd95(*pair, spacing), assd(*pair, spacing)]


for request in sys.stdin:
    start = time.perf_counter()
    array, values = {"transform": transform, "hausdorff": hausdorff, "scores": scores}[request.strip()]()
    seconds = time.perf_counter() - start
    if array is not None:
        array.tofile("transform")
    print(seconds, *values, flush=True)
