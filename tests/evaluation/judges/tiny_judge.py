"""A tiny Qwen2.5-VL with random weights, saved as published ones are, with processor and chat template."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

_END, _PAD, _IMAGE, _VIDEO = "<|im_end|>", "<|endoftext|>", "<|image_pad|>", "<|video_pad|>"
_SPECIAL = [_PAD, "<|im_start|>", _END, "<|vision_start|>", "<|vision_end|>", _IMAGE, _VIDEO]
_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save_tiny_judge(folder: Path, *, saying: str | None = None) -> None:
    """A model that babbles, or says the text ``saying`` (without spaces) to everything.

    Such a text is its token 0, which ends an answer; with an output layer of zeros the first token is the largest.
    """
    tokenizer = _tokenizer(saying or "x" * 8)
    images = Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=4 * 28 * 28)
    Qwen2_5_VLProcessor(images, tokenizer, Qwen2VLVideoProcessor(), chat_template=_TEMPLATE).save_pretrained(folder)
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(_config(tokenizer))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(20.0 if weight.ndim > 1 else 1.0)  # as initialised, one token follows whatever is shown
        if saying is not None:
            model.lm_head.weight.zero_()
    end = tokenizer.convert_tokens_to_ids(_END)
    settings = model.generation_config
    settings.eos_token_id = [end, 0] if saying is not None else [end]
    settings.do_sample, settings.temperature, settings.top_p = True, 0.1, 0.001  # as Qwen2.5-VL publishes them
    model.save_pretrained(folder)


def _tokenizer(first: str) -> PreTrainedTokenizerFast:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytewise = Tokenizer(models.BPE(vocab={token: place for place, token in enumerate([first, *letters])}, merges=[]))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=bytewise,
        eos_token=_END,
        pad_token=_PAD,
        additional_special_tokens=_SPECIAL,
    )


def _config(tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    token = tokenizer.convert_tokens_to_ids
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
        "bos_token_id": None,
        "eos_token_id": token(_END),
        "pad_token_id": token(_PAD),
    }
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 16,
        "fullatt_block_indexes": [0],
    }
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=token(_IMAGE),
        video_token_id=token(_VIDEO),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
