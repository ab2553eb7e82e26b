"""Tiny networks of random weights, saved in the formats of the published ones; each a fraction of a second to make.

``write_all(folder)`` gives the sources of every network by its name in a need, for ``load_networks``.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

FEATURES = 16
"""Of CLIP, DINO and Inception."""
NUM_CLASSES = 6


def pictures_of(*sizes: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    """RGB pictures of those sizes (width, height): smooth random colours with some noise."""
    rng = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    for width, height in sizes:
        coarse = rng.integers(0, 256, (-(-height // 16), -(-width // 16), 3))
        smooth = coarse.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
        found.append((smooth + rng.integers(-20, 21, (height, width, 3))).clip(0, 255).astype(np.uint8))
    return found


def write_all(folder: Path) -> dict[str, str]:
    """Every network below ``folder``; its source by name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {
        "clip": write_clip(folder / "clip"),
        "dino": write_dino(folder / "dino"),
        "inception": write_inception(folder / "inception-2015-12-05.pt"),
        "depth": write_dpt(folder / "dpt"),
        "segmenter": write_segformer(folder / "segformer"),
        "hed": write_annotators(folder / "annotators"),
        "lineart": folder / "annotators",
    }
    return {name: str(path) for name, path in written.items()}


def write_clip(folder: Path, *, seed: int = 0, most_tokens: int = 77) -> Path:
    """Pictures of 32 pixels; texts of bytes."""
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    words = sorted(_byte_letters())
    vocabulary = [*words, *(f"{letter}</w>" for letter in words), "<|startoftext|>", "<|endoftext|>"]
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    end = len(vocabulary) - 1
    config = CLIPConfig(
        text_config={**layers, "vocab_size": len(vocabulary), "bos_token_id": end - 1, "eos_token_id": end}
        | {"max_position_embeddings": most_tokens},
        vision_config={**layers, "image_size": 32, "patch_size": 8},
        projection_dim=FEATURES,
    )
    torch.manual_seed(seed)
    _save(CLIPModel(config), folder)
    CLIPTokenizer(vocab={word: place for place, word in enumerate(vocabulary)}, merges=[]).save_pretrained(folder)
    return folder


def write_dino(folder: Path, *, seed: int = 0) -> Path:
    """A ViT without pooler, of 224 pixels in patches of 56."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=FEATURES,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=224,
        patch_size=56,
    )
    torch.manual_seed(seed)
    return _save(ViTModel(config, add_pooling_layer=False), folder)


def write_dpt(folder: Path, *, seed: int = 0) -> Path:
    """A DPT of 64 pixels."""
    from transformers import DPTConfig, DPTForDepthEstimation

    config = DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[16, 16, 16, 16],
        fusion_hidden_size=16,
        is_hybrid=False,
        use_auxiliary_head=False,
    )
    torch.manual_seed(seed)
    return _save(DPTForDepthEstimation(config), folder)


def write_segformer(folder: Path, *, seed: int = 0) -> Path:
    """A network of logits."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        num_labels=NUM_CLASSES,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
    )
    torch.manual_seed(seed)
    return _save(SegformerForSemanticSegmentation(config), folder)


def write_mask2former(folder: Path, *, seed: int = 0) -> Path:
    """A network of masks and their classes, on a Swin."""
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    swin = SwinConfig(
        image_size=64,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = Mask2FormerConfig(
        backbone_config=swin,
        num_labels=NUM_CLASSES,
        num_queries=8,
        hidden_dim=32,
        feature_size=32,
        mask_feature_size=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        encoder_feedforward_dim=32,
        dim_feedforward=32,
    )
    torch.manual_seed(seed)
    return _save(Mask2FormerForUniversalSegmentation(config), folder)


def write_annotators(folder: Path, *, seed: int = 0) -> Path:
    """``ControlNetHED.pth`` and ``sk_model.pth``, of their published sizes, since nothing in the files names a size."""
    from cologen.datagen.control.annotators import annotator

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    for network, name in (
        (annotator("hed").ControlNetHED_Apache2(), "ControlNetHED.pth"),
        (annotator("lineart").Generator(3, 1, 3), "sk_model.pth"),
    ):
        torch.save(network.state_dict(), folder / name)
    return folder


def write_inception(path: Path, *, seed: int = 0, features: int = FEATURES) -> Path:
    """TorchScript with ``layers`` that read (x - 128) / 128, as NVIDIA's file."""
    torch.manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, 3, 299, 299)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit", category=FutureWarning)  # the published file's form
        torch.jit.trace(_Inception(features).eval(), example, check_trace=False).save(str(path))
    return path


class _Inception(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(8), nn.Conv2d(3, features, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def _save(network: nn.Module, folder: Path) -> Path:
    """With weights larger than the published networks start with, so that pictures differ in what is read."""
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1:
                weight.mul_(3)
    network.save_pretrained(folder)
    return folder


def _byte_letters() -> list[str]:
    """The 256 letters that stand for bytes in byte-level vocabularies."""
    from tokenizers.pre_tokenizers import ByteLevel

    return ByteLevel.alphabet()
