"""The workload `vit_b_lora` of `runner bench` in PyTorch: the same numbers in, so the same losses out.

    python runner/benches/vit_b_lora.py --blocks 2 --tokens 196 --batch 1          # --size small
    python runner/benches/vit_b_lora.py --device cuda --batch 1 4 12 --precision f32 tf32 bf16
    python runner/benches/vit_b_lora.py --device cuda --batch 1 --precision bf16 --compile

Prints the first three losses, and what `training_step.py` says.
"""

import argparse
import copy
import math
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

from training_step import most_memory

RANK, OUTPUTS, DEVIATION = 4, 9, 0.02
WARM_UP = 0.5  # seconds after the first step in which a GPU raises its clocks


def numbers(name, shape, deviation=DEVIATION):
    """Sums of four 16-bit numbers of splitmix64, counted from the FNV-1a hash of the name."""
    mask = 2**64 - 1
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & mask
    signed = lambda n: n - 2**64 if n >= 2**63 else n
    shift = lambda z, bits: (z >> bits) & (2 ** (64 - bits) - 1)
    z = torch.arange(math.prod(shape)) + signed(seed) + signed(0x9E3779B97F4A7C15)
    z = (z ^ shift(z, 30)) * signed(0xBF58476D1CE4E5B9)
    z = (z ^ shift(z, 27)) * signed(0x94D049BB133111EB)
    z = z ^ shift(z, 31)
    total = sum(shift(z, 16 * part) & 0xFFFF for part in range(4))
    return ((total.double() / 65536 - 2) * math.sqrt(3)).float().mul(deviation).reshape(shape)


def weight(name, inputs, outputs):
    return numbers(name, (inputs, outputs)).t().contiguous()


class Block(nn.Module):
    def __init__(self, index, dim, heads):
        super().__init__()
        self.heads = heads
        frozen = {}
        qkv = [(weight(f"b{index}.{s}.w", dim, dim), numbers(f"b{index}.{s}.b", (dim,))) for s in "qkv"]
        frozen["qkv"] = tuple(torch.cat(parts) for parts in zip(*qkv))
        for name, inputs, outputs in [("proj", dim, dim), ("fc1", dim, 4 * dim), ("fc2", 4 * dim, dim)]:
            frozen[name] = weight(f"b{index}.{name}.w", inputs, outputs), numbers(f"b{index}.{name}.b", (outputs,))
        for name, (w, b) in frozen.items():
            self.register_buffer(f"{name}_weight", w)
            self.register_buffer(f"{name}_bias", b)
        for side in "qv":
            for part, inputs, outputs in [("a", dim, RANK), ("b", RANK, dim)]:
                w = weight(f"b{index}.lora_{side}.{part}", inputs, outputs)
                self.register_parameter(f"{part}_{side}", nn.Parameter(w))

    def linear(self, x, name):
        return F.linear(x, getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"))

    def forward(self, x):
        batch, tokens, dim = x.shape
        y = F.layer_norm(x, (dim,), eps=1e-6)
        q, k, v = self.linear(y, "qkv").chunk(3, dim=-1)
        q = q + F.linear(F.linear(y, self.a_q), self.b_q)
        v = v + F.linear(F.linear(y, self.a_v), self.b_v)
        q, k, v = (z.unflatten(-1, (self.heads, -1)).transpose(1, 2) for z in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, dim)
        x = x + self.linear(y, "proj")
        y = F.layer_norm(x, (dim,), eps=1e-6)
        return x + self.linear(F.gelu(self.linear(y, "fc1")), "fc2")


class Network(nn.Module):
    def __init__(self, blocks, dim, heads):
        super().__init__()
        self.blocks = nn.Sequential(*(Block(index, dim, heads) for index in range(blocks)))
        self.head = nn.Linear(dim, OUTPUTS)
        self.head.weight = nn.Parameter(weight("head.w", dim, OUTPUTS))
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(self.blocks(x))


def measure(args, untrained, batch, precision, compiled):
    """Prints the first losses and the median of a training step."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    network = copy.deepcopy(untrained).to(args.device)
    run = torch.compile(network) if compiled else network
    x = numbers("x", (batch, args.tokens, args.dim), 1.0).to(args.device)
    target = numbers("target", (batch, args.tokens, OUTPUTS), 1.0).to(args.device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    losses, times, warm = [], [], None
    while len(times) < args.rounds:
        begin = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(args.device, torch.bfloat16, enabled=precision == "bf16"):
            y = run(x)
        loss = F.mse_loss(y.float(), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if args.device == "cuda":
            torch.cuda.synchronize()
        warm = warm or time.perf_counter()
        if len(losses) > 3 and begin - warm > WARM_UP:
            times.append((time.perf_counter() - begin) * 1e3)
    name = f"torch {torch.__version__} {args.device} {precision}{' compiled' if compiled else ''} batch {batch}"
    losses = ", ".join(f"{loss:.6f}" for loss in losses[:3])
    print(f"{name}: {statistics.median(times):.1f} ms, {most_memory(args.device)}; losses {losses}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], nargs="+", default=["f32"])
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    untrained = Network(args.blocks, args.dim, args.heads)
    for batch in args.batch:
        for precision in args.precision:
            measure(args, untrained, batch, precision, args.compile)


if __name__ == "__main__":
    main()
