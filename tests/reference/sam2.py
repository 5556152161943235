"""Writes ../fixtures/sam2.safetensors: what Hugging Face's Sam2Model makes of computed images in small widths, from
the random weights that it leaves in ../fixtures/sam2_{tiny,large}.safetensors under its own names. "tiny" has all
blocks, windows and positions of the published Hiera-T, "large" the windows of Hiera-L on grids smaller than they.

    python sam2.py"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (Sam2Config, Sam2HieraDetConfig, Sam2MaskDecoderConfig, Sam2Model, Sam2PromptEncoderConfig,
                          Sam2VisionConfig)

FIXTURES = Path(__file__).parent.parent / "fixtures"
OUT = 16


def build(size, dim, heads, depths, windows, global_blocks, positions):
    dims = [dim << i for i in range(4)]
    backbone = Sam2HieraDetConfig(
        hidden_size=dim, num_attention_heads=heads, image_size=[size, size], blocks_per_stage=list(depths),
        embed_dim_per_stage=dims, num_attention_heads_per_stage=[heads << i for i in range(4)],
        window_size_per_stage=list(windows), global_attention_blocks=list(global_blocks),
        window_positional_embedding_background_size=[positions, positions])
    vision = Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=dims[::-1], fpn_hidden_size=OUT,
        backbone_feature_sizes=[[size // s, size // s] for s in (4, 8, 16)])
    prompt = Sam2PromptEncoderConfig(hidden_size=OUT, image_size=size)
    decoder = Sam2MaskDecoderConfig(hidden_size=OUT, mlp_dim=24, num_attention_heads=2, iou_head_hidden_dim=OUT)
    config = Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    return Sam2Model(config).eval()


@torch.no_grad()
def randomise(model):
    """Factors of norms around 1; weights keep the size of what they multiply, but for attention in the decoder, which
    would else hardly notice the prompts."""
    for name, parameter in model.named_parameters():
        std = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.3
        if "pos_embed" in name or "_token" in name or "point_embed" in name or "mask_embed" in name:
            std = 0.5 if "pos_embed" in name else 1
        if "mask_decoder.transformer" in name and "_proj" in name and parameter.dim() > 1:
            std *= 3
        torch.nn.init.normal_(parameter, std=std)
        if parameter.dim() == 1 and name.endswith("weight"):
            parameter.data += 1
    gaussian = torch.nn.init.normal_(model.shared_image_embedding.positional_embedding)
    model.prompt_encoder.shared_embedding.positional_embedding.copy_(gaussian)


def image(batch, size):
    """Numbers that the test computes too, [batch, 3, size, size]."""
    b, c, y, x = torch.meshgrid(*(torch.arange(n) for n in (batch, 3, size, size)), indexing="ij")
    return ((3 * y * y + 5 * x * x + 7 * x * y + 31 * c + 17 * b) % 251).float() / 251 - 0.5


@torch.no_grad()
def run(case, model, batch, size, step, mask=None):
    """Every `step`-th row and column of the features, and of all four masks of each prompt."""
    thin = lambda t: t.permute(0, 2, 3, 1)[:, ::step, ::step]
    *fine, embedding = model.get_image_embeddings(image(batch, size))
    out = {"embedding": thin(embedding), "s0": thin(fine[0]), "s1": thin(fine[1])}
    at = torch.arange(batch)[:, None, None]
    points = torch.cat([0.31 * size + at, 0.72 * size - at], -1)[:, :, None]
    labels = torch.ones(batch, 1, 1, dtype=torch.int64)
    boxes = torch.cat([0.2 * size + at, 0.3 * size - at, 0.61 * size + at, 0.8 * size + at], -1).float()
    out |= {"points": points[:, 0], "labels": labels[:, 0].float(), "boxes": boxes[:, 0]}
    prompts = {"point": {"input_points": points, "input_labels": labels}, "box": {"input_boxes": boxes}, "none": {}}
    if mask is not None:
        out["mask"] = mask.permute(0, 2, 3, 1)
        prompts["all"] = prompts["point"] | prompts["box"] | {"input_masks": mask}
    positions = model.get_image_wide_positional_embeddings().repeat(batch, 1, 1, 1)
    for name, prompt in prompts.items():
        kinds = "input_points", "input_labels", "input_boxes", "input_masks"
        sparse, dense = model.prompt_encoder(**{kind: prompt.get(kind) for kind in kinds})
        if sparse is None:
            sparse = torch.zeros(batch, 1, 0, OUT)
        model.mask_decoder.dynamic_multimask_via_stability = False
        decode = lambda several: model.mask_decoder(
            image_embeddings=embedding, image_positional_embeddings=positions, sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense, multimask_output=several, high_resolution_features=fine)
        (one, its_quality, _, score), (others, their_quality, _, _) = decode(False), decode(True)
        out[f"{name}.logits"] = thin(torch.cat([one, others], 2)[:, 0])
        out[f"{name}.quality"] = torch.cat([its_quality, their_quality], 2)[:, 0]
        out[f"{name}.object_score"] = score[:, 0]
        model.mask_decoder.dynamic_multimask_via_stability = True
        out[f"{name}.clear_quality"] = decode(False)[1][:, 0]
    return {f"{case}.{n}": t.float().contiguous() for n, t in out.items()}


def save(name, model):
    tensors = {n: t.detach().clone().contiguous() for n, t in model.state_dict().items()}
    save_file(tensors, FIXTURES / f"sam2_{name}.safetensors")


if __name__ == "__main__":
    tensors = {}
    for size, step in ((224, 1), (512, 3), (1024, 7)):
        torch.manual_seed(2)  # the same weights at each size
        model = build(size, 8, 1, (1, 2, 7, 2), (8, 4, 14, 7), (5, 7, 9), 7)
        randomise(model)
        tensors |= run(f"tiny_{size}", model, 1, size, step)
    save("tiny", model)
    model = build(96, 6, 2, (1, 2, 3, 2), (8, 4, 16, 8), (4,), 5)
    randomise(model)
    tensors |= run("large_96", model, 2, 96, 1, mask=torch.randn(2, 1, 24, 24))
    save("large", model)
    save_file(tensors, FIXTURES / "sam2.safetensors")
