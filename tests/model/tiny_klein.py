"""A whole FLUX.2 klein folder as diffusers writes it, a few thousand random weights large, made without a network."""

from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

HIDDEN = 8
TRANSFORMER = {
    "in_channels": 16,
    "num_layers": 1,
    "num_single_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 3 * HIDDEN,
    "guidance_embeds": False,
    "axes_dims_rope": (4, 4, 4, 4),
}
"""What klein's configuration says, in small."""

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if not enable_thinking %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)
"""What Qwen3's says, as far as one message needs it."""


def autoencoder() -> AutoencoderKLFlux2:
    """Of FLUX.2's form: four levels, and statistics that are not the identity."""
    torch.manual_seed(0)
    made = AutoencoderKLFlux2(
        block_out_channels=(4, 4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=2,
        layers_per_block=1,
    )
    made.bn.running_mean.uniform_(-0.5, 0.5)
    made.bn.running_var.uniform_(0.5, 2.0)
    return made.eval()


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, and the words of the template."""
    words = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    made = Tokenizer(models.BPE(vocab={word: place for place, word in enumerate(words)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.add_special_tokens(words[:3])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token=words[0], chat_template=TEMPLATE)


def write_klein(folder: Path, *, distilled: bool = False) -> Path:
    """Write the folder through klein's own pipeline, and return it."""
    torch.manual_seed(0)
    words = tokenizer()
    qwen = Qwen3Config(
        vocab_size=len(words),
        hidden_size=HIDDEN,
        intermediate_size=16,
        num_hidden_layers=28,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
    )
    Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=autoencoder(),
        text_encoder=Qwen3ForCausalLM(qwen),
        tokenizer=words,
        transformer=Flux2Transformer2DModel(**TRANSFORMER),
        is_distilled=distilled,
    ).save_pretrained(folder)
    return folder
