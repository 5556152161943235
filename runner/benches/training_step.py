"""A training step in PyTorch, as the workloads of `runner bench` that are stages have it: parameters and images drawn at
random, 0.2 cross-entropy + 0.8 Dice over nine classes unless a script has another loss, AdamW. Used by the scripts beside
it.

They print the median milliseconds of a step, its loss read each time, and the most memory: on a GPU what was allocated,
else what the process held up to then, with Python and PyTorch, which hold 200 to 400 MiB before the first step.
"""

import argparse
import math
import pathlib
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

sys.path.append(str(pathlib.Path(__file__).parents[2] / "tests" / "reference"))
from networks import Parameters

CLASSES = 9
WARM_UP = 0.5  # seconds after the first step in which a GPU raises its clocks


class Drawn(Parameters):
    """Parameters in f32 on the default device, those trained in whose names there is one of `trained`; running statistics
    are ones."""

    def __init__(self, *trained):
        super().__init__(1)
        self.trained = trained

    def get(self, name, *shape):
        if "running_" in name and name not in self:
            self[name] = torch.ones(shape)
        if name not in self:
            fans = max(math.prod(shape[1:]), 1)
            trained = any(part in name for part in self.trained)
            self[name] = nn.Parameter(torch.randn(shape) / math.sqrt(fans), requires_grad=trained)
        return self[name]


def loss_of(logits, label):
    logits = logits.float()
    probability = logits.softmax(1)
    truth = F.one_hot(label, CLASSES).permute(0, 3, 1, 2)
    both = (probability * truth).sum((0, 2, 3))
    all_of = (probability * probability).sum((0, 2, 3)) + truth.sum((0, 2, 3))
    dice = 1 - ((2 * both + 1e-5) / (all_of + 1e-5)).mean()
    return 0.2 * F.cross_entropy(logits, label) + 0.8 * dice


def segmentation(predicted):
    """The loss of logits, each with its weight, against labels drawn for them."""
    labels = [torch.randint(CLASSES, (len(logits), *logits.shape[2:])) for _, logits in predicted]
    return lambda predicted: sum(weight * loss_of(logits, label) for (weight, logits), label in zip(predicted, labels))


def most_memory(device):
    """Since the last call on a GPU."""
    if device == "cuda":
        most = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
    else:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f"{most / 2**20:.0f} MiB"


def measure(args, build, objective, batch, precision):
    """Prints the median of a training step. `build` makes what computes logits of an image, each with its weight in the
    loss, and what lists the parameters once that has run. `objective` makes the loss from what is computed first."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    forward, parameters = build(args)
    image = torch.randn(batch, 3, args.pixels, args.pixels)
    with torch.no_grad():
        loss_of_all = objective(forward(image))
    trained = [parameter for parameter in parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.1, fused=True)
    run = torch.compile(forward) if args.compile else forward
    steps, times, warm = 0, [], None
    while len(times) < args.rounds:
        begin = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(args.device, torch.bfloat16, enabled=precision == "bf16"):
            predicted = run(image)
        loss = loss_of_all(predicted)
        loss.backward()
        optimiser.step()
        loss.item()
        steps, warm = steps + 1, warm or time.perf_counter()
        if steps > 3 and begin - warm > WARM_UP:
            times.append((time.perf_counter() - begin) * 1e3)
    name = f"torch {torch.__version__} {args.device} {precision}{' compiled' if args.compile else ''}"
    median = statistics.median(times)
    print(f"{name} {args.pixels} px batch {batch}: {median:.1f} ms, {most_memory(args.device)}", flush=True)


def parser(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], nargs="+", default=["f32"])
    parser.add_argument("--compile", action="store_true")
    return parser


def vit_b_parser(description):
    made = parser(description)
    made.add_argument("--blocks", type=int, help="fewer than twelve, of which the last is global")
    return made


def main(parser, build, objective=segmentation):
    args = parser.parse_args()
    torch.set_default_device(args.device)
    for batch in args.batch:
        for precision in args.precision:
            measure(args, build, objective, batch, precision)
