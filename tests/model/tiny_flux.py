"""A whole FLUX folder as diffusers writes it, a few thousand random weights large, made without a network."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

TRANSFORMER = {
    "in_channels": 64,
    "out_channels": 64,
    "num_layers": 1,
    "num_single_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 24,
    "pooled_projection_dim": 16,
    "guidance_embeds": True,
    "axes_dims_rope": (4, 6, 6),
}
"""What FLUX-dev's configuration says, in small."""


def autoencoder() -> AutoencoderKL:
    """Of FLUX's form: four levels, 16 channels, no quant convolutions, its own shift and scale."""
    torch.manual_seed(0)
    return AutoencoderKL(
        block_out_channels=(4, 4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=16,
        norm_num_groups=2,
        layers_per_block=1,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def clip_tokenizer(folder: Path) -> CLIPTokenizer:
    """Bytes, bytes at a word's end, and three merges, in the two files that CLIP's tokenizer is kept in."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = ["r e", "re d</w>", "b a"]
    ends = [f"{letter}</w>" for letter in letters]
    words = [*letters, *ends, "re", "red</w>", "ba", "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77})
    )
    return CLIPTokenizer.from_pretrained(folder)


def t5_tokenizer() -> T5Tokenizer:
    """Letters and two words, as a unigram model."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁red", -3.0), ("▁cat", -3.0)]
    pieces += [(letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def write_flux(folder: Path) -> Path:
    """Write the folder through FLUX's own pipeline, and return it."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    clip_words, t5_words = clip_tokenizer(folder / "tokenizer"), t5_tokenizer()
    clip = CLIPTextConfig(
        vocab_size=len(clip_words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=16,
        bos_token_id=clip_words.bos_token_id,
        eos_token_id=clip_words.eos_token_id,
    )
    t5 = T5Config(vocab_size=len(t5_words), d_model=24, d_kv=12, d_ff=32, num_layers=2, num_heads=2)
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=autoencoder(),
        text_encoder=CLIPTextModel(clip),
        tokenizer=clip_words,
        text_encoder_2=T5EncoderModel(t5),
        tokenizer_2=t5_words,
        transformer=FluxTransformer2DModel(**TRANSFORMER),
    ).save_pretrained(folder)
    return folder
