"""A whole Qwen-Image folder as diffusers writes it, a few thousand random weights large, made without a network."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from tests.model.tiny_klein import tokenizer

HIDDEN = 16
TRANSFORMER = {
    "patch_size": 2,
    "in_channels": 8,
    "out_channels": 2,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": HIDDEN,
    "axes_dims_rope": (4, 6, 6),
    "zero_cond_t": True,
}
"""What the configuration of Edit-2511 says, in small."""

SCHEDULER = {
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 0.9,
    "base_image_seq_len": 256,
    "max_image_seq_len": 8192,
    "shift_terminal": 0.02,
}
"""What Qwen-Image's says."""


def autoencoder() -> AutoencoderKLQwenImage:
    """Of Qwen-Image's form: four levels, and statistics that are not the identity."""
    torch.manual_seed(0)
    return AutoencoderKLQwenImage(
        base_dim=4,
        z_dim=2,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        latents_mean=[0.3, -0.2],
        latents_std=[1.5, 0.7],
    ).eval()


def _text_encoder(num_words: int) -> Qwen2_5_VLForConditionalGeneration:
    text = {
        "vocab_size": num_words,
        "hidden_size": HIDDEN,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": 0,
    }
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": HIDDEN,
        "fullatt_block_indexes": [0],
    }
    ends = {"image_token_id": 0, "video_token_id": 0, "vision_start_token_id": 0, "vision_end_token_id": 0}
    return Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision, **ends))


def write_qwen(folder: Path) -> Path:
    """Write the folder through Qwen-Image's own pipeline, and return it."""
    torch.manual_seed(0)
    words = tokenizer()
    QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULER),
        vae=autoencoder(),
        text_encoder=_text_encoder(len(words)).eval(),
        tokenizer=words,  # pyright: ignore[reportArgumentType], which is of the same base class
        transformer=QwenImageTransformer2DModel(**TRANSFORMER),
    ).save_pretrained(folder)
    return folder
