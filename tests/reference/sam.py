"""Writes ../fixtures/sam.safetensors: Hugging Face's SAM vision encoder in small configurations, and its
prompt encoder, with random weights under the names of the original checkpoints.

    python sam.py"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import SamConfig, SamPromptEncoderConfig, SamVisionConfig
from transformers.models.sam.modeling_sam import SamPromptEncoder, SamVisionEncoder

RENAMES = [
    ("patch_embed.projection", "patch_embed.proj"),
    ("layer_norm", "norm"),
    ("neck.conv1", "neck.0"), ("neck.norm1", "neck.1"), ("neck.conv2", "neck.2"), ("neck.norm2", "neck.3"),
    ("layers.", "blocks."),
    ("mask_embed.conv1", "mask_downscaling.0"), ("mask_embed.norm1", "mask_downscaling.1"),
    ("mask_embed.conv2", "mask_downscaling.3"), ("mask_embed.norm2", "mask_downscaling.4"),
    ("mask_embed.conv3", "mask_downscaling.6"),
    ("point_embed.", "point_embeddings."),
    ("shared_embedding.positional_embedding", "pe_layer.positional_encoding_gaussian_matrix"),
]


def original_name(name):
    if name.startswith(("no_mask_embed", "not_a_point_embed")):
        return name
    for theirs, original in RENAMES:
        name = name.replace(theirs, original)
    return name


def randomise(module):
    for name, parameter in module.named_parameters():
        torch.nn.init.normal_(parameter, std=0.3)
        if parameter.dim() == 1 and name.endswith("weight"):
            parameter.data += 1
    for buffer in module.buffers():
        torch.nn.init.normal_(buffer)


@torch.no_grad()
def vision(case, image_size, patch, heads, window, global_blocks, table_of_grid=None):
    config = SamVisionConfig(hidden_size=16, output_channels=8, num_hidden_layers=3, mlp_dim=32,
                             num_attention_heads=heads, image_size=image_size, patch_size=patch,
                             window_size=window, global_attn_indexes=global_blocks)
    model = SamVisionEncoder(config).eval()
    for i in global_blocks if table_of_grid else []:
        for axis in "hw":
            table = torch.nn.Parameter(torch.zeros(2 * table_of_grid - 1, 16 // heads))
            setattr(model.layers[i].attn, f"rel_pos_{axis}", table)
    randomise(model)
    image = torch.rand(2, 3, image_size, image_size)
    out = {f"{case}.image_encoder.{original_name(n)}": t for n, t in model.state_dict().items()}
    out[f"{case}.image"] = image.permute(0, 2, 3, 1)
    out[f"{case}.features"] = model(image).last_hidden_state.permute(0, 2, 3, 1)
    return out


@torch.no_grad()
def prompts():
    sizes = {"image_size": 20, "patch_size": 4, "hidden_size": 16}
    config = SamConfig(prompt_encoder_config=SamPromptEncoderConfig(**sizes, image_embedding_size=5).to_dict(),
                       vision_config=SamVisionConfig(**sizes, num_pos_feats=8).to_dict())
    model = SamPromptEncoder(config).eval()
    randomise(model)
    points = 20 * torch.rand(2, 1, 3, 2)
    labels = torch.tensor([[[1, 0, -1]], [[0, 1, 1]]])
    boxes = 20 * torch.rand(2, 1, 4)
    mask = torch.randn(2, 1, 20, 20)
    out = {f"prompts.prompt_encoder.{original_name(n)}": t for n, t in model.state_dict().items()}
    out |= {"prompts.points": points[:, 0], "prompts.labels": labels[:, 0].float(), "prompts.boxes": boxes[:, 0],
            "prompts.mask": mask.permute(0, 2, 3, 1)}
    sparse, dense = model(points, labels, None, mask)
    out["prompts.points_and_mask.sparse"] = sparse[:, 0]
    out["prompts.points_and_mask.dense"] = dense.flatten(2).transpose(1, 2)
    sparse, dense = model(points, labels, boxes, None)
    out["prompts.points_and_boxes.sparse"] = sparse[:, 0]
    out["prompts.points_and_boxes.dense"] = dense[:1, :, :1, :1].flatten(2).transpose(1, 2)
    return out


if __name__ == "__main__":
    torch.manual_seed(1)
    tensors = {
        **vision("overhanging", 28, 4, heads=2, window=3, global_blocks=[1]),
        **vision("fitting", 30, 5, heads=4, window=3, global_blocks=[0, 2]),
        **vision("resized", 15, 3, heads=1, window=4, global_blocks=[0, 1], table_of_grid=8),
        **prompts(),
    }
    tensors = {n: t.detach().float().clone(memory_format=torch.contiguous_format) for n, t in tensors.items()}
    save_file(tensors, Path(__file__).parent.parent / "fixtures/sam.safetensors")
