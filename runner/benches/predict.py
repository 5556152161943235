"""The workload `predict` of `runner bench` in PyTorch, with nibabel for files and scipy for slices: the network is that of
`samora_stage2.py`.

    runner phantom --layout folder --cases 1 --shape 128,128,16 --out scans        # --size small; full: 512,512,128
    python runner/benches/predict.py scans/images/phantom_001.nii.gz --device cpu --pixels 224 --blocks 2
    python runner/benches/predict.py scans/images/phantom_001.nii.gz --device cuda

Both read a compressed NIfTI file, clip it to a window, enlarge its slices by cubic splines, run encoder and decoder on
sixteen at a time, enlarge the logits linearly to the slices' size, take the highest class of each pixel, and write a
compressed NIfTI file of labels. Prints the median milliseconds of all that, of the network alone, and the most memory as
`training_step.py` does.
"""

import pathlib
import statistics
import tempfile
import time

import nibabel
import numpy as np
import torch
from scipy.ndimage import zoom
from torch.nn import functional as F

import samora_stage2
from training_step import most_memory, vit_b_parser

WINDOW_HU = -125, 275


def segment(args, batch, network, labels):
    """Returns the seconds that the network takes."""
    scan = nibabel.load(args.scan)
    low, high = WINDOW_HU
    volume = (np.asanyarray(scan.dataobj, dtype=np.float32).clip(low, high) - low) / (high - low)
    width, height, depth = volume.shape
    classes, seconds = np.empty(volume.shape, np.uint8), 0
    for first in range(0, depth, batch):
        slices = volume[:, :, first : first + batch].transpose(2, 0, 1)
        zoomed = np.stack([zoom(one, (args.pixels / width, args.pixels / height), order=3) for one in slices])
        image = torch.from_numpy(zoomed).to(args.device)[:, None].expand(-1, 3, -1, -1)
        begin = time.perf_counter()
        logits = network(image)
        if args.device == "cuda":
            torch.cuda.synchronize()
        seconds += time.perf_counter() - begin
        logits = F.interpolate(logits.float(), size=(width, height), mode="bilinear", align_corners=True)
        classes[:, :, first : first + batch] = logits.argmax(1).to(torch.uint8).cpu().permute(1, 2, 0)
    nibabel.save(nibabel.Nifti1Image(classes, scan.affine), labels)
    return seconds


def measure(args, batch, precision, labels):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    forward, _ = samora_stage2.build(args)
    forward(torch.randn(1, 3, args.pixels, args.pixels))  # draws the parameters
    run = torch.compile(forward) if args.compile else forward
    times = []
    for _ in range(args.rounds + 1):
        begin = time.perf_counter()
        with torch.autocast(args.device, torch.bfloat16, enabled=precision == "bf16"):
            network = segment(args, batch, lambda image: run(image)[0][1], labels)
        times.append((1e3 * (time.perf_counter() - begin), 1e3 * network))
    whole, network = (statistics.median(parts) for parts in zip(*times[1:]))
    name = f"torch {torch.__version__} {args.device} {precision}{' compiled' if args.compile else ''}"
    name += f" {args.pixels} px batch {batch} {args.scan.name}"
    print(f"{name}: {whole:.1f} ms, of which network {network:.1f} ms, {most_memory(args.device)}", flush=True)


@torch.inference_mode()
def main():
    made = vit_b_parser(__doc__)
    made.add_argument("scan", type=pathlib.Path)
    made.set_defaults(batch=[16])
    args = made.parse_args()
    torch.set_default_device(args.device)
    with tempfile.TemporaryDirectory() as folder:
        for batch in args.batch:
            for precision in args.precision:
                measure(args, batch, precision, pathlib.Path(folder) / "labels.nii.gz")


if __name__ == "__main__":
    main()
