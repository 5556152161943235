"""Writes OUT (350 MB), for the test of the whole encoder that runs on demand: Hugging Face's ViT-B at 512
pixels with random weights under the names of the original checkpoints, an image and its features.

    python vit_b.py OUT"""

import sys
import time

import torch
from safetensors.torch import save_file
from transformers import SamVisionConfig
from transformers.models.sam.modeling_sam import SamVisionEncoder

from sam import original_name

torch.manual_seed(1)
config = SamVisionConfig(image_size=512)
model = SamVisionEncoder(config).eval()
for name, parameter in model.named_parameters():
    # Matrices keep the scale of what passes through them, as trained ones do.
    scale = 0.3 if parameter.dim() == 1 or "pos" in name else parameter[0].numel() ** -0.5
    torch.nn.init.normal_(parameter, std=scale)
    if parameter.dim() == 1 and name.endswith("weight"):
        parameter.data += 1
image = torch.rand(1, 3, 512, 512)
start = time.time()
with torch.no_grad():
    features = model(image).last_hidden_state
print(f"forward in {time.time() - start:.1f} s")
out = {f"image_encoder.{original_name(n)}": t for n, t in model.state_dict().items()}
out |= {"image": image.permute(0, 2, 3, 1), "features": features.permute(0, 2, 3, 1)}
save_file({n: t.contiguous() for n, t in out.items()}, sys.argv[1])
