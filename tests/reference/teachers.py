"""Writes ../fixtures/{mae,simclr,simclr_selective,nt_xent}.safetensors: small networks with their weights
and inputs, outputs, loss, and the gradient of every parameter by autograd. Those of SimCLR are in
training mode, with the running statistics after the step.

    python teachers.py"""

from pathlib import Path

import torch
from safetensors.torch import save_file

import mae
import simclr
from networks import Parameters

FIXTURES = Path(__file__).parent.parent / "fixtures"


def write(name, p, start, loss, tensors):
    """`start` are the parameters before the step."""
    loss.backward()
    tensors |= start | {"loss": loss} | {f"grad.{n}": t.grad for n, t in p.items() if t.requires_grad}
    whole = {n: t.to(torch.uint32) for n, t in tensors.items() if not t.is_floating_point()}
    tensors = {n: t.detach().float().contiguous() for n, t in tensors.items()} | whole
    save_file(tensors, FIXTURES / f"{name}.safetensors")


def write_mae():
    p = Parameters(seed=1)
    image = torch.rand(2, 3, 16, 16, generator=p.random).double()
    ids_shuffle = torch.rand(2, 16, generator=p.random).argsort(1)
    ids_keep, ids_restore = ids_shuffle[:, :4], ids_shuffle.argsort(1)
    tokens = mae.encode(p, image, ids_keep)
    prediction = mae.decode(p, tokens, ids_restore, 4 * 4 * 3)
    loss = mae.loss(prediction, image, ids_restore, 4)
    write("mae", p, dict(p), loss, {
        "image": image.permute(0, 2, 3, 1), "ids_keep": ids_keep, "ids_restore": ids_restore,
        "tokens": tokens, "prediction": prediction})


def write_simclr(name, selective):
    p = Parameters(seed=1)
    views = torch.rand(8, 3, 20, 20, generator=p.random).double()

    def forward():
        pooled = simclr.features(p, views, True, selective)
        hidden = simclr.project(p, pooled, True)
        return pooled, hidden, simclr.nt_xent(hidden, 0.1)

    forward()  # draws the parameters; the running statistics that it moved are as good as any
    start = {n: t.detach().clone().float() for n, t in p.items()}
    pooled, hidden, loss = forward()
    after = {f"after.{n}": t for n, t in p.items() if "running_" in n}
    write(name, p, start, loss,
          {"views": views.permute(0, 2, 3, 1), "features": pooled, "projection": hidden} | after)


def write_nt_xent():
    p = Parameters(seed=1)
    loss = simclr.nt_xent(p.get("hidden", 10, 6), 0.1)
    write("nt_xent", p, dict(p), loss, {})


write_mae()
write_simclr("simclr", selective=False)
write_simclr("simclr_selective", selective=True)
write_nt_xent()
