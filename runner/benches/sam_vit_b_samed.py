"""The workload `sam_vit_b_samed` of `runner bench` in PyTorch: the image encoder of `transformers`, LoRA on q and v
of every block, the reference mask decoder with nine class tokens, 0.2 cross-entropy + 0.8 Dice, AdamW. Weights and
images are drawn at random.

    python runner/benches/sam_vit_b_samed.py --pixels 512 --batch 1 4 12 --precision f32 tf32 bf16
    python runner/benches/sam_vit_b_samed.py --pixels 512 --batch 1 --precision bf16 --compile

Prints the median milliseconds of a training step, its loss read each time; on a GPU also the most memory that was
allocated.
"""

import argparse
import math
import pathlib
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F
from transformers import SamVisionConfig
from transformers.models.sam.modeling_sam import SamVisionEncoder

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "reference"))
from decoder import decode
from networks import Parameters

DIM, RANK, CLASSES = 768, 4, 9
WARM_UP = 0.5  # seconds after the first step in which a GPU raises its clocks


class Trained(Parameters):
    """Parameters in f32 on the default device."""

    def get(self, name, *shape):
        if name not in self:
            fans = max(math.prod(shape[1:]), 1)
            self[name] = nn.Parameter(torch.randn(shape) / math.sqrt(fans))
        return self[name]


class LoraQkv(nn.Module):
    def __init__(self, frozen):
        super().__init__()
        self.frozen = frozen
        self.down = nn.ModuleList(nn.Linear(DIM, RANK, bias=False) for _ in "qv")
        self.up = nn.ModuleList(nn.Linear(RANK, DIM, bias=False) for _ in "qv")

    def forward(self, x):
        q, k, v = self.frozen(x).chunk(3, dim=-1)
        dq, dv = (up(down(x)) for down, up in zip(self.down, self.up))
        return torch.cat([q + dq, k, v + dv], dim=-1)


def encoder(pixels):
    """SAM's ViT-B, frozen, with LoRA."""
    network = SamVisionEncoder(SamVisionConfig(image_size=pixels, attn_implementation="sdpa"))
    network.requires_grad_(False)
    for layer in network.layers:
        layer.attn.qkv = LoraQkv(layer.attn.qkv)
    return network


def loss_of(logits, label):
    logits = logits.float()
    probability = logits.softmax(1)
    truth = F.one_hot(label, CLASSES).permute(0, 3, 1, 2)
    both = (probability * truth).sum((0, 2, 3))
    all_of = (probability * probability).sum((0, 2, 3)) + truth.sum((0, 2, 3))
    dice = 1 - ((2 * both + 1e-5) / (all_of + 1e-5)).mean()
    return 0.2 * F.cross_entropy(logits, label) + 0.8 * dice


def measure(args, batch, precision):
    """Prints the median of a training step."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    network, p = encoder(args.pixels), Trained(1)
    image = torch.randn(batch, 3, args.pixels, args.pixels)
    label = torch.randint(CLASSES, (batch, args.pixels // 4, args.pixels // 4))

    def forward(image):
        features = network(image).last_hidden_state
        return decode(p, features, classes=CLASSES, heads=8, mlp_dim=2048)[0]

    with torch.no_grad():
        forward(image)  # makes the decoder's parameters
    fixed = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    trained = [w for w in network.parameters() if w.requires_grad] + [w for n, w in p.items() if n != fixed]
    optimiser = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.1, fused=args.device == "cuda")
    run = torch.compile(forward) if args.compile else forward
    steps, times, warm = 0, [], None
    while len(times) < args.rounds:
        begin = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(args.device, torch.bfloat16, enabled=precision == "bf16"):
            logits = run(image)
        loss = loss_of(logits, label)
        loss.backward()
        optimiser.step()
        loss.item()
        steps, warm = steps + 1, warm or time.perf_counter()
        if steps > 3 and begin - warm > WARM_UP:
            times.append((time.perf_counter() - begin) * 1e3)
    memory = ""
    if args.device == "cuda":
        memory = f", {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB"
        torch.cuda.reset_peak_memory_stats()
    name = f"torch {torch.__version__} {args.device} {precision}{' compiled' if args.compile else ''}"
    median = statistics.median(times)
    print(f"{name} {args.pixels} px batch {batch}: {median:.1f} ms{memory}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], nargs="+", default=["f32"])
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    torch.set_default_device(args.device)
    for batch in args.batch:
        for precision in args.precision:
            measure(args, batch, precision)


if __name__ == "__main__":
    main()
