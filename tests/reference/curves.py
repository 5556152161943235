"""Writes ../fixtures/curve_{image,patch,pixel,finetune,sam2,hsam}.safetensors: the losses of 100 steps of each
level of SAMora's first stage and of its second stage, with SAMed's decoder, on SAM 2 and with H-SAM's decoders, on
small networks, with the weights they start from and the few batches they cycle through. Optimiser and schedule are
those of pipelines/synapse_fewshot.ron, with H-SAM's decoders at SAMora's learning rate for them.

    python curves.py"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import denoise
import mae
import simclr
from decoder import decode, decode_twice
from hiera import sam2_encoder
from networks import Parameters, project, sam_encoder

FIXTURES = Path(__file__).parent.parent / "fixtures"
STEPS, BATCHES, WARM_UP, SIZE = 100, 4, 25, 20
STEPS_PER_EPOCH = 8  # of H-SAM's loss


def write(name, base, trained, make_batch, loss_of):
    p = Parameters(seed=1)
    batches = [make_batch(p.random) for _ in range(BATCHES)]
    epochs = {"epoch": 0} if name == "hsam" else {}
    loss_of(p, **batches[0], **epochs)  # draws the parameters
    fresh = "output_scale" if name in ("finetune", "sam2", "hsam") else "linear_b"
    for n, t in p.items():
        if fresh in n:
            t.data.zero_()
        elif name == "hsam" and n.startswith("mask_decoder") and t.dim() > 1:
            # Of the usual size: two decoders of so wide layers would amplify rounding.
            inputs = t.shape[0] if t.dim() == 4 else t.shape[1]
            t.data.copy_((t.data / (0.3 * inputs**0.5)).float())
    tensors = {n: t.detach().clone() for n, t in p.items()}
    optimiser = torch.optim.AdamW([t for n, t in p.items() if trained(n)], lr=base / WARM_UP, weight_decay=0.1)
    losses = []
    for step in range(STEPS):
        optimiser.zero_grad()
        epochs = {n: step // STEPS_PER_EPOCH for n in epochs}
        loss = loss_of(p, **batches[step % BATCHES], **epochs)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if step < WARM_UP:
            rate = base * (step + 1) / WARM_UP
        else:
            rate = base * (1 - (step - WARM_UP) / (STEPS - WARM_UP)) ** 0.9
        optimiser.param_groups[0]["lr"] = rate
    print(name, *(f"{x:.4f}" for x in losses[::11]))
    tensors["losses"] = torch.tensor(losses)
    for k, batch in enumerate(batches):
        tensors |= {f"batch{k}.{n}": t.permute(0, 2, 3, 1) if t.ndim == 4 else t for n, t in batch.items()}
    whole = {n: t.to(torch.uint32) for n, t in tensors.items() if not t.is_floating_point()}
    tensors = {n: t.float().contiguous() for n, t in tensors.items()} | whole
    save_file(tensors, FIXTURES / f"curve_{name}.safetensors")


def expert(level):
    parts = f".experts.{level}.", f".{level}_scale", "projector.", "denoise_decoder."
    return lambda name: any(part in name for part in parts) and "running_" not in name


def scene(random, count, size=SIZE, patches=5):
    """Images [count, 3, size, size] within 0…1 of patches in three classes, and the classes."""
    label = torch.randint(3, (count, patches, patches), generator=random)
    label = label.repeat_interleave(size // patches, 1).repeat_interleave(size // patches, 2)
    image = 0.3 * label[:, None] + 0.4 * torch.rand(count, 3, size, size, generator=random)
    return image.double(), label


def standardised(image):
    return (image - image.mean((1, 2, 3), keepdim=True)) / image.std((1, 2, 3), keepdim=True)


def image_batch(random):
    seen, _ = scene(random, 4)
    return {"views": standardised(seen), "teacher_views": seen}


def image_loss(p, views, teacher_views):
    target = simclr.features(p, teacher_views, training=False).detach()
    features, _ = sam_encoder(p, views, "image")
    return F.mse_loss(project(p, features.mean((2, 3)), target.shape[1]), target)


def patch_batch(random):
    seen, _ = scene(random, 2)
    ids_keep = torch.rand(2, 25, generator=random).argsort(1)[:, :6]
    return {"image": standardised(seen), "teacher_image": seen, "ids_keep": ids_keep}


def patch_loss(p, image, teacher_image, ids_keep):
    target = mae.encode(p, teacher_image, ids_keep)[:, 1:].detach()
    _, tokens = sam_encoder(p, image, "patch")
    visible = tokens.gather(1, ids_keep[..., None].expand(-1, -1, tokens.shape[-1]))
    return F.mse_loss(project(p, visible, target.shape[-1]), target)


def pixel_batch(random):
    clean, _ = scene(random, 2)
    noisy = clean + 0.08 * torch.randn(clean.shape, generator=random)
    return {"image": standardised(noisy.clip(0, 1)), "clean": clean}


def pixel_loss(p, image, clean):
    features, _ = sam_encoder(p, image, "pixel")
    return denoise.loss(denoise.denoise(p, features), clean)


def finetune_batch(random):
    image, label = scene(random, 2)
    return {"image": image, "label": label.flatten()}


def finetune_loss(p, image, label):
    features, _ = sam_encoder(p, image, "zero_start")
    return segmentation(decode(p, features)[0], label)


def sam2_batch(random):
    image, label = scene(random, 2, size=64, patches=8)
    return {"image": image, "label": label[:, ::4, ::4].flatten()}


def sam2_loss(p, image, label):
    return segmentation(decode(p, *sam2_encoder(p, image, "zero_start"))[0], label)


def segmentation(logits, label, smooth=1e-5):
    logits = logits.permute(0, 2, 3, 1).reshape(len(label), -1)
    probabilities, truth = logits.softmax(1), F.one_hot(label, logits.shape[1]).double()
    common = (probabilities * truth).sum(0)
    dice = (2 * common + smooth) / ((probabilities**2).sum(0) + truth.sum(0) + smooth)
    return 0.2 * F.cross_entropy(logits, label) + 0.8 * (1 - dice).mean()


def hsam_batch(random):
    image, label = scene(random, 2)
    full = label.repeat_interleave(4, 1).repeat_interleave(4, 2)
    return {"image": image, "low_label": label.flatten(), "full_label": full.flatten()}


def hsam_loss(p, image, low_label, full_label, epoch):
    features, _ = sam_encoder(p, image, "zero_start", out=48)
    low, full = decode_twice(p, features)
    weight = 0.6**0.99**epoch
    return (1 - weight) * segmentation(low, low_label) + weight * segmentation(full, full_label)


def stage_two(name):
    return name.startswith(("mask_decoder.", "mask_decoder2.")) or ".fuser." in name


write("image", 1e-3, expert("image"), image_batch, image_loss)
write("patch", 1e-3, expert("patch"), patch_batch, patch_loss)
write("pixel", 1e-3, expert("pixel"), pixel_batch, pixel_loss)
write("finetune", 5e-3, stage_two, finetune_batch, finetune_loss)
write("sam2", 5e-3, stage_two, sam2_batch, sam2_loss)
write("hsam", 2.5e-3, stage_two, hsam_batch, hsam_loss)
