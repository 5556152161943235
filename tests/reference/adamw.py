"""Writes ../fixtures/adamw.safetensors: a linear model trained by torch.optim.AdamW with weight decay
and SAMed's schedule (warm-up, then polynomial decay), with the weights after every step.

    python adamw.py"""

from pathlib import Path

import torch
from safetensors.torch import save_file

BASE, WARM_UP, STEPS, TOTAL = 0.05, 2, 6, 10

torch.manual_seed(1)
x, target = torch.randn(8, 4), torch.randn(8, 3)
model = torch.nn.Linear(4, 3)
out = {"x": x, "target": target, "start.weight": model.weight, "start.bias": model.bias}
out = {n: t.detach().clone() for n, t in out.items()}
optimiser = torch.optim.AdamW(model.parameters(), lr=BASE / WARM_UP, betas=(0.9, 0.99), weight_decay=0.1)
for step in range(STEPS):
    optimiser.zero_grad()
    torch.nn.functional.mse_loss(model(x), target).backward()
    optimiser.step()
    out[f"after{step}.weight"] = model.weight.detach().clone()
    out[f"after{step}.bias"] = model.bias.detach().clone()
    # SAMed sets the rate of the next step from this one's number.
    if step < WARM_UP:
        rate = BASE * (step + 1) / WARM_UP
    else:
        rate = BASE * (1 - (step - WARM_UP) / TOTAL) ** 0.9
    optimiser.param_groups[0]["lr"] = rate
save_file(out, Path(__file__).parent.parent / "fixtures/adamw.safetensors")
