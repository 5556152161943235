"""Writes the PyTorch files that engine/src/weights/pth/tests.rs reads: python checkpoints.py"""

from collections import OrderedDict
from pathlib import Path

import torch


def state():
    dense = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    grid = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    return OrderedDict(
        {
            "dense": dense,
            "transposed": dense.t(),
            "sliced": grid[1:3, ::2],
            "half": torch.tensor([1.0, -2.5, 65504.0, 2.0**-24], dtype=torch.float16),
            "bfloat": torch.tensor([1.0, -2.5, 3.140625], dtype=torch.bfloat16),
            "double": torch.tensor([0.1], dtype=torch.float64),
            "long": torch.tensor([-3, 7]),
            "int": torch.tensor([-70000], dtype=torch.int32),
            "short": torch.tensor([-300], dtype=torch.int16),
            "char": torch.tensor([-3], dtype=torch.int8),
            "byte": torch.tensor([200], dtype=torch.uint8),
            "bool": torch.tensor([True, False]),
            "parameter": torch.nn.Parameter(torch.full((2,), 0.5)),
            "scalar": torch.tensor(4.0),
            "empty": torch.zeros(0, 3),
        }
    )


def main():
    folder = Path(__file__).parent / "checkpoints"
    folder.mkdir(exist_ok=True)
    parallel = OrderedDict(("module." + name, tensor) for name, tensor in state().items())
    wrapped = {"epoch": 3, "lr": 0.5, "note": "ü", "betas": (0.5, 0.25), "model": parallel}
    torch.save(wrapped, folder / "zip.pth")
    torch.save(state(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    layers = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1))
    with torch.no_grad():
        for value in layers.parameters():
            value.fill_(0.5)
    torch.save({"resnet": layers.state_dict(), "head": state()}, folder / "parts.pth")
    complex_numbers = {"complex": torch.ones(2, dtype=torch.complex64)}
    torch.save(complex_numbers, folder / "complex.pth")


if __name__ == "__main__":
    main()
